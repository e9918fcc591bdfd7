package meta

import "fmt"

func (e *Edit) actOnNodes(r Record) error {
	switch r := r.(type) {
	case *RegisterBrokerRecord:
		e.setBroker(&Broker{
			ID: r.BrokerID, Epoch: r.BrokerEpoch, Incarnation: r.IncarnationID,
			Listeners: r.EndPoints, Features: r.Features, Rack: r.Rack,
			Fenced: r.Fenced, InControlledShutdown: r.InControlledShutdown,
			MigratingZk: r.IsMigratingZkBroker,
			LogDirs:     r.LogDirs, CordonedLogDirs: r.CordonedLogDirs,
		})
	case *UnregisterBrokerRecord:
		if _, err := e.broker(r, r.BrokerID, r.BrokerEpoch); err != nil {
			return err
		}
		mutable(&e.next.brokers, &e.forked.brokers).Delete(r.BrokerID)
		mark(&e.touched.brokers, r.BrokerID)
	case *FenceBrokerRecord:
		return e.changeBroker(r, &BrokerRegistrationChangeRecord{BrokerID: r.ID, BrokerEpoch: r.Epoch, Fenced: 1})
	case *UnfenceBrokerRecord:
		return e.changeBroker(r, &BrokerRegistrationChangeRecord{BrokerID: r.ID, BrokerEpoch: r.Epoch, Fenced: -1})
	case *BrokerRegistrationChangeRecord:
		return e.changeBroker(r, r)
	case *RegisterControllerRecord:
		c := &Controller{
			ID: r.ControllerID, Incarnation: r.IncarnationID, Listeners: r.EndPoints,
			Features: r.Features, ZkMigrationReady: r.ZkMigrationReady,
		}
		mutable(&e.next.controllers, &e.forked.controllers).Set(c.ID, c)
		mark(&e.touched.controllers, c.ID)
	case *UnregisterControllerRecord:
		mutable(&e.next.controllers, &e.forked.controllers).Delete(r.ControllerID)
		mark(&e.touched.controllers, r.ControllerID)
	}
	return nil
}

func (e *Edit) setBroker(b *Broker) {
	mutable(&e.next.brokers, &e.forked.brokers).Set(b.ID, b)
	mark(&e.touched.brokers, b.ID)
}

// broker is the registration that a record of this id and epoch is about.
func (e *Edit) broker(r Record, id int32, epoch int64) (*Broker, error) {
	b, ok := e.next.Broker(id)
	if !ok {
		return nil, fmt.Errorf("%s for broker %d, which is not registered", r.Kind(), id)
	}
	if b.Epoch != epoch {
		return nil, fmt.Errorf("%s for broker %d with epoch %d, and its epoch is %d", r.Kind(), id, epoch, b.Epoch)
	}
	return b, nil
}

func (e *Edit) changeBroker(r Record, change *BrokerRegistrationChangeRecord) error {
	was, err := e.broker(r, change.BrokerID, change.BrokerEpoch)
	if err != nil {
		return err
	}
	b := *was
	switch change.Fenced {
	case 0:
	case 1, -1:
		b.Fenced = change.Fenced == 1
	default:
		return fmt.Errorf("%s for broker %d: fenced is %d", r.Kind(), b.ID, change.Fenced)
	}
	switch change.InControlledShutdown {
	case 0:
	case 1:
		b.InControlledShutdown = true
	default:
		return fmt.Errorf("%s for broker %d: in controlled shutdown is %d", r.Kind(), b.ID, change.InControlledShutdown)
	}
	if len(change.LogDirs) > 0 {
		b.LogDirs = change.LogDirs
	}
	if change.CordonedLogDirs != nil {
		b.CordonedLogDirs = change.CordonedLogDirs
	}
	e.setBroker(&b)
	return nil
}

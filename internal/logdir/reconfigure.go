package logdir

// Reconfigure changes what may change while the directory is open: all of the cleaner's settings but Disabled, at once, and
// the number of logs that are recovered at a time, for a recovery that has not begun (it waits for SettingsKnown). It does
// nothing once Close has begun.
func (d *Dir) Reconfigure(cleaner CleanerOptions, recoveryThreads int) {
	d.recoveryThreads.Store(int64(orDefault(recoveryThreads, DefaultRecoveryThreads)))
	d.mu.RLock() // keeps Close from beginning meanwhile
	defer d.mu.RUnlock()
	if !d.closed {
		d.cleaner.reconfigure(cleaner)
	}
}

package logdir

// CleanerOptions are the settings of compaction.
type CleanerOptions struct{}

func (*CleanerOptions) setDefaults() {}

type cleaner struct{}

func newCleaner(*Dir) *cleaner    { return &cleaner{} }
func (c *cleaner) start()         {}
func (c *cleaner) stop(*entry)    {}
func (c *cleaner) dirtied(*entry) {}
func (c *cleaner) close()         {}

package fsck

const (
	MaxReadItems = maxReadItems
	CheckBatch   = checkBatch
)

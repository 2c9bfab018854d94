package link

import "github.com/tandemgo/tandem/internal/point"

// atSender marks a place of the sending end, if no lock is held there.
func (l *Link[T]) atSender(name string) {
	if point.On && !l.sharedTo {
		point.At(name)
	}
}

// atReceiver marks a place of the receiving end, if no lock is held there.
func (l *Link[T]) atReceiver(name string) {
	if point.On && !l.sharedBy {
		point.At(name)
	}
}

package memory

import "context"

// Watch returns a channel that receives a value when the answer that member would get has changed.
// Several changes may share one value. The channel is closed when ctx ends. If ctx has already
// ended, Watch returns its error.
func (s *Service) Watch(ctx context.Context, member string) (<-chan struct{}, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	wake := make(chan struct{}, 1)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.watchers[member] == nil {
		s.watchers[member] = map[chan struct{}]struct{}{}
	}
	s.watchers[member][wake] = struct{}{}
	context.AfterFunc(ctx, func() { s.unwatch(member, wake) })
	return wake, nil
}

func (s *Service) unwatch(member string, wake chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.watchers[member], wake)
	if len(s.watchers[member]) == 0 {
		delete(s.watchers, member)
	}
	close(wake) // under mu, like every send
}

// wake wakes the watchers of these members. The caller holds mu. It skips a channel that still
// has a value.
func (s *Service) wake(members []string) {
	for _, name := range members {
		for wake := range s.watchers[name] {
			select {
			case wake <- struct{}{}:
			default:
			}
		}
	}
}

package rtsp

import "time"

// sayAgain is how long the log does not repeat what a camera does wrong.
const sayAgain = time.Hour

// said keeps what the log says of a camera, and when it said so last.
type said map[string]time.Time

// say warns of what a camera does wrong, unless the log says so already. A message quotes nothing that a camera sends, so that they
// are few.
func (s *session) say(now time.Time, message string, attrs ...any) {
	if last, ok := s.said[message]; ok && now.Sub(last) < sayAgain {
		return
	}
	s.said[message] = now
	s.log.Warn(message, attrs...)
}

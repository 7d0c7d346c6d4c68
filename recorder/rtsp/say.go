package rtsp

// say warns of what a camera does wrong, once. The message quotes nothing of the camera, so that there are few.
func (s *session) say(message string, attrs ...any) {
	if s.source.told.news(message, "said") {
		s.log.Warn(message, attrs...)
	}
}

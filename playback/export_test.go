package playback

// WaitAhead waits for what is listed before anyone asks for it.
func (l *Library) WaitAhead() { l.ahead.Wait() }

// Package web serves the footage of a playback.Library over HTTP: the same entries, clips and days as the mount, byte for
// byte, for browsers and curl where nothing can be mounted.
//
//	GET /front-door/2026-11-20/14/                                        a listing, in HTML, or JSON where that is accepted
//	GET /front-door/2026-11-20/14/front-door_2026-11-20_14-00-00.mp4      with ranges, ETag and modification time
//	GET /.nvrfs/clips/front-door/2026-11-20_14-03-10--14-05-00.mp4        any range
//	GET /.nvrfs/days/front-door/2026-11-20.mp4                            a whole day
//
// It knows no users and no passwords: whoever reaches it sees the footage. So it answers only requests that name it by an IP
// address or as localhost, which a foreign page in a browser on the same host cannot do under its own name.
package web

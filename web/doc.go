// Package web serves a view of footage over HTTP: the tree of the mount, byte for byte, for browsers and curl where nothing can be
// mounted.
//
//	GET /                                                                         a page that says what is here
//	GET /footage/front-door/2026-11-20/14/                                        a listing, in HTML, or JSON where that is accepted
//	GET /footage/front-door/2026-11-20/14/front-door_2026-11-20_14-00-00.mp4      with ranges, ETag and modification time
//	GET /footage/.nvrfs/clips/front-door/2026-11-20_14-03-10--14-05-00.mp4        any range
//	GET /footage/.nvrfs/days/front-door/2026-11-20.mp4                            a whole day
//	GET /footage/.nvrfs/info/…, status.json, README.txt                           as in the mount
//	GET /healthz, /readyz                                                         does it run, and does its database answer?
//
// What a path below /footage/ leads to is playback's to say (View.Resolve), for the mount and for HTTP alike. Cameras never own the
// root, so that more can come beside /footage/: /api/v1/, /live/ and /dav/ are kept for that.
//
// It knows no users and no passwords: whoever reaches it sees what the view shows. So it answers only requests that name it by an
// IP address or as localhost, which a foreign page in a browser on the same host cannot do under its own name.
package web

package mp4check
import ("testing";"os";"path/filepath")
func TestTmp(t *testing.T){
 fs,_:=filepath.Glob("testdata/*.mp4")
 more,_:=filepath.Glob("/tmp/mc/*.mp4")
 for _,p:=range append(fs,more...){ f,_:=os.Open(p); st,_:=f.Stat(); r,err:=Check(f,st.Size()); t.Logf("%s: %v",p,err); for _,k:=range r.Tracks{t.Logf("  %s ts=%d mdur=%d dur=%d n=%d chunks=%d edits=%v e0=%+v",k.name(),k.Timescale,k.MediaDuration,k.Duration,len(k.Samples),len(k.Chunks),k.Edits,*k.Entries[0])}}
}

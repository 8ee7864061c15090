package nodes_test

import (
	"context"
	"fmt"
	"os"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"purofs/engine"
	"purofs/nodes"
)

// A tree answers the kernel's requests; here they are made by hand. Package fs has the kernel make
// them.
func ExampleTree() {
	dir, err := os.MkdirTemp("", "purofs-example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	log, err := engine.Open(context.Background(), dir, engine.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer log.Close()
	tree := nodes.NewTree(nodes.Config{Log: nodes.EngineLog(log)})
	defer tree.Shutdown()

	// mkdir orders
	root := fuse.InHeader{NodeId: fuse.FUSE_ROOT_ID}
	var orders, file fuse.EntryOut
	tree.Mkdir(nil, &fuse.MkdirIn{InHeader: root, Mode: 0o755}, "orders", &orders)

	// printf 'one\ntwo\n' > orders/append
	tree.Lookup(nil, &fuse.InHeader{NodeId: orders.NodeId}, "append", &file)
	in := fuse.OpenIn{InHeader: fuse.InHeader{NodeId: file.NodeId}, Flags: syscall.O_WRONLY}
	var out fuse.OpenOut
	tree.Open(nil, &in, &out)
	tree.ServeWrite(context.Background(), &fuse.WriteIn{Fh: out.Fh}, []byte("one\ntwo\n"))
	tree.Release(nil, &fuse.ReleaseIn{Fh: out.Fh})

	// stat -c %s orders/log
	tree.Lookup(nil, &fuse.InHeader{NodeId: orders.NodeId}, "log", &file)
	fmt.Println(file.Size, "bytes")
	// Output: 8 bytes
}

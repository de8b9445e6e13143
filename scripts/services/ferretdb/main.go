// Command ferretdb serves MongoDB's protocol over SQLite files: FerretDB's embeddable package behind two flags. Its own
// main package needs a file that the module lacks.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/FerretDB/FerretDB/ferretdb"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:27017", "address and port")
	directory := flag.String("directory", "data", "where the SQLite files are; it must be there")
	flag.Parse()

	server, err := ferretdb.New(&ferretdb.Config{
		Listener:  ferretdb.ListenerConfig{TCP: *listen},
		Logger:    slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
		Handler:   "sqlite",
		SQLiteURL: "file:" + *directory + "/",
	})
	if err != nil {
		log.Fatal(err)
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	// Who started us waits for this line.
	fmt.Println(server.MongoDBURI())
	if err := <-ended; err != nil {
		log.Fatal(err)
	}
}

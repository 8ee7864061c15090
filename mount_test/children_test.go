package mount_test

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// children are what processes of this test's own program do: clients written in Go, each with its
// arguments.
var children = map[string]func(args []string) error{
	"write":   childWrite,
	"produce": childProduce,
	"flood":   childFlood,
	"follow":  childFollow,
	"hold":    childHold,
	"skip":    childSkip,
	"disk":    childDisk,
}

// childWrite appends each further argument to a file, as a program would that knows nothing special
// of it: FILE TEXT...
func childWrite(args []string) error {
	file, err := os.OpenFile(args[0], os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	for _, text := range args[1:] {
		if _, err := file.WriteString(text); err != nil {
			return err
		}
	}
	return file.Close()
}

// childProduce appends numbered lines, a write each, and prints the number of each that it knows to
// be stored: FILE NAME COUNT, or FILE NAME to go on until a write fails. It says that it is ready,
// and waits for a line of input before it begins.
func childProduce(args []string) error {
	count := -1
	if len(args) > 2 {
		var err error
		if count, err = strconv.Atoi(args[2]); err != nil {
			return err
		}
	}
	file, err := os.OpenFile(args[0], os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		return err
	}
	for n := 0; n != count; n++ {
		if _, err := fmt.Fprintf(file, "%s %d\n", args[1], n); err != nil {
			if count < 0 {
				return nil
			}
			return err
		}
		fmt.Println(n)
	}
	return file.Close()
}

// floodLine is what childFlood writes again and again.
var floodLine = strings.Repeat("0123456789", 9) + "\n"

// childFlood writes lines for ever, 8 MiB with one write(2): FILE
func childFlood(args []string) error {
	file, err := os.OpenFile(args[0], os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	for data := []byte(strings.Repeat(floodLine, 8<<20/len(floodLine))); ; {
		if _, err := file.Write(data); err != nil {
			return err
		}
	}
}

// childFollow prints the lines of a file until one says "end": FILE
func childFollow(args []string) error {
	file, err := os.Open(args[0])
	if err != nil {
		return err
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		fmt.Println(lines.Text())
		if lines.Text() == "end" {
			return nil
		}
	}
	return fmt.Errorf("%s ended", args[0])
}

// childHold locks a segment as a producer does, says so, and lets go at the end of its input: FILE
func childHold(args []string) error {
	file, err := os.OpenFile(args[0], os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	lock := unix.Flock_t{Type: unix.F_WRLCK, Whence: unix.SEEK_SET}
	if err := unix.FcntlFlock(file.Fd(), unix.F_OFD_SETLKW, &lock); err != nil {
		return err
	}
	fmt.Println("held")
	_, err = syscall.Read(0, make([]byte, 1))
	return err
}

// childSkip prints what each read of a file gets, and goes on after errors: FILE
func childSkip(args []string) error {
	fd, err := syscall.Open(args[0], syscall.O_RDONLY, 0)
	if err != nil {
		return err
	}
	for buffer := make([]byte, 4096); ; {
		n, err := syscall.Read(fd, buffer)
		switch {
		case err != nil:
			fmt.Println(unix.ErrnoName(err.(syscall.Errno)))
		case n == 0:
			return nil
		default:
			fmt.Print(string(buffer[:n]))
		}
	}
}

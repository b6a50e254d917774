// Command kstatus reads objects as JSON lines and prints for each what two kstatus libraries compute:
// the one of kubernetes-sigs, and the one that Flux links.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"

	flux "github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	sigs "sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

type answer struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

type line struct {
	Sigs answer `json:"sigs"`
	Flux answer `json:"flux"`
}

func judge(text []byte) (*line, error) {
	object := &unstructured.Unstructured{}
	if err := object.UnmarshalJSON(text); err != nil {
		return nil, err
	}
	ours, err := sigs.Compute(object)
	if err != nil {
		return nil, err
	}
	theirs, err := flux.Compute(object)
	if err != nil {
		return nil, err
	}
	return &line{
		Sigs: answer{Status: ours.Status.String(), Message: ours.Message},
		Flux: answer{Status: theirs.Status.String(), Message: theirs.Message},
	}, nil
}

func run(input io.Reader, output io.Writer) error {
	reader, encoder := bufio.NewReader(input), json.NewEncoder(output)
	for {
		text, err := reader.ReadBytes('\n')
		if err == io.EOF && len(text) == 0 {
			return nil
		}
		if err != nil && err != io.EOF {
			return err
		}
		judged, err := judge(text)
		if err != nil {
			return err
		}
		if err := encoder.Encode(judged); err != nil {
			return err
		}
	}
}

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

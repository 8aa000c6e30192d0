//go:build tools

// Package tools keeps in go.mod what the programs of the test cluster need.
package tools

import (
	_ "github.com/coredns/coredns"
)

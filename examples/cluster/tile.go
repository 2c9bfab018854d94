package main

import (
	"fmt"
	"image"
	"image/color"
	"math/cmplx"
)

// A tile is a task: a square of the picture.
type tile struct {
	X, Y int // of its upper left corner
	Tile int // width and height
	Size int // of the whole picture

	Run string // the run that has submitted it
	Try int    // earlier submissions whose result was lost
}

// id is the message id of a tile: a tile submitted twice with one id is drawn once.
func (t tile) id() string { return fmt.Sprintf("%s-%d-%d-%d", t.Run, t.X, t.Y, t.Try) }

// A drawing is the result of a tile.
type drawing struct {
	Worker string
	Pix    []byte // a grey value for each pixel, line by line
}

// tiles returns the tiles of a picture.
func tiles(size, tileSize int) []tile {
	var ts []tile
	for y := 0; y < size; y += tileSize {
		for x := 0; x < size; x += tileSize {
			ts = append(ts, tile{X: x, Y: y, Tile: tileSize, Size: size})
		}
	}
	return ts
}

// draw draws the tile's part of the Mandelbrot set.
func (t tile) draw() []byte {
	pix := make([]byte, 0, t.Tile*t.Tile)
	for y := t.Y; y < t.Y+t.Tile; y++ {
		for x := t.X; x < t.X+t.Tile; x++ {
			c := complex(3*float64(x)/float64(t.Size)-2.25, 3*float64(y)/float64(t.Size)-1.5)
			z, n := 0i, 0
			for ; n < 255 && cmplx.Abs(z) <= 2; n++ {
				z = z*z + c
			}
			pix = append(pix, byte(255-n))
		}
	}
	return pix
}

// paste copies the pixels of the tile into the picture.
func (t tile) paste(picture *image.Gray, pix []byte) {
	for i, grey := range pix {
		picture.SetGray(t.X+i%t.Tile, t.Y+i/t.Tile, color.Gray{Y: grey})
	}
}

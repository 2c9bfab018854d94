package cookbook_test

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/image/draw"

	"github.com/tandemgo/tandem/fan"
)

// Resize a folder of images: as many at once as there are processors, and only those in
// memory. The first failure ends the rest.
func Example_resizeImages() {
	dir, err := os.MkdirTemp("", "photos")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	for n := range 5 {
		photo := image.NewGray(image.Rect(0, 0, 100+100*n, 200))
		if err := save(filepath.Join(dir, fmt.Sprintf("photo%d.png", n)), photo); err != nil {
			fmt.Println(err)
			return
		}
	}

	photos, _ := filepath.Glob(filepath.Join(dir, "*.png"))
	sizes, err := fan.Map(context.Background(), runtime.GOMAXPROCS(0), photos, thumbnail)
	for i, photo := range photos { // results have the indexes of their inputs
		fmt.Println(filepath.Base(photo), sizes[i])
	}
	fmt.Println(err)
	// Output:
	// photo0.png (32,64)
	// photo1.png (64,64)
	// photo2.png (64,42)
	// photo3.png (64,32)
	// photo4.png (64,25)
	// <nil>
}

// thumbnail writes an image next to a photo, at most 64 pixels wide and high. It
// ignores its context, since one image takes little time.
func thumbnail(_ context.Context, photo string) (size image.Point, err error) {
	file, err := os.Open(photo)
	if err != nil {
		return size, err
	}
	defer func() { _ = file.Close() }()
	full, _, err := image.Decode(file)
	if err != nil {
		return size, fmt.Errorf("%s: %w", photo, err)
	}
	size = full.Bounds().Size()
	size = size.Mul(64).Div(max(size.X, size.Y))
	small := image.NewRGBA(image.Rectangle{Max: size})
	draw.CatmullRom.Scale(small, small.Bounds(), full, full.Bounds(), draw.Src, nil)
	return size, save(photo+".small", small)
}

func save(name string, img image.Image) error {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(png.Encode(file, img), file.Close())
}

package tools

// Programs are the small ones of this checkout that go into images.
func Programs() []Tool {
	return []Tool{
		{Name: "pause", Binary: "pause", Package: ".", folder: "e2e/images/pause"},
		{Name: "hello", Binary: "hello", Package: ".", folder: "e2e/images/hello"},
	}
}

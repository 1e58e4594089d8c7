module keelway.dev/e2e/images/hello

go 1.25

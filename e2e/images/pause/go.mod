module keelway.dev/e2e/images/pause

go 1.25

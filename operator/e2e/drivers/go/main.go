// lib/pq and pgx with nothing but what a pod of the backend has.
package main

import (
	"database/sql"
	"fmt"
	"os"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "github.com/lib/pq"
)

func ask(driver, place string) (user string, err error) {
	database, err := sql.Open(driver, place)
	if err != nil {
		return "", err
	}
	defer database.Close()
	err = database.QueryRow("SELECT current_user").Scan(&user)
	return user, err
}

func main() {
	url := os.Getenv("DATABASE_URL")
	for _, it := range [][3]string{
		{"lib/pq DATABASE_URL", "postgres", url}, {"lib/pq PG*", "postgres", ""},
		{"pgx DATABASE_URL", "pgx", url}, {"pgx PG*", "pgx", ""},
	} {
		user, err := ask(it[1], it[2])
		if err != nil {
			user = err.Error()
		}
		fmt.Printf("%s\t%s\n", it[0], user)
	}
}

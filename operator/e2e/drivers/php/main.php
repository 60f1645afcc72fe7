<?php
// PDO with nothing but what a pod of the backend has: it is libpq, and takes parts by its variables, but no address.
function ask(string $place): string
{
    try {
        return (new PDO($place))->query('SELECT current_user')->fetchColumn();
    } catch (PDOException $error) {
        return strtok($error->getMessage(), "\n");
    }
}

echo "PDO PG*\t", ask('pgsql:'), "\n";
echo "PDO DATABASE_URL\t", ask(getenv('DATABASE_URL')), "\n";

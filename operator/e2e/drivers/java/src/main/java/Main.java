import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.Properties;

/** JDBC with nothing but what a pod of the backend has: it reads no variables, and no address with a user. */
public final class Main {
    public static void main(String[] words) {
        var parts = new Properties();
        parts.setProperty("user", System.getenv("POSTGRES_USER"));
        parts.setProperty("password", System.getenv("POSTGRES_PASSWORD"));
        parts.setProperty("sslmode", System.getenv("PGSSLMODE"));
        var place = "jdbc:postgresql://%s:%s/%s".formatted(
            System.getenv("POSTGRES_SERVER"), System.getenv("POSTGRES_PORT"), System.getenv("POSTGRES_DB"));
        System.out.println("JDBC POSTGRES_*\t" + ask(place, parts));
        System.out.println("JDBC DATABASE_URL\t" + ask("jdbc:" + System.getenv("DATABASE_URL"), new Properties()));
    }

    private static String ask(String place, Properties parts) {
        try (var connection = DriverManager.getConnection(place, parts);
            var rows = connection.createStatement().executeQuery("SELECT current_user")) {
            rows.next();
            return rows.getString(1);
        } catch (SQLException error) {
            return error.getMessage().lines().findFirst().orElse("");
        }
    }
}

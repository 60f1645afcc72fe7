<?php
// Logs in by itself: whatever a browser says, it is this role of this database. Adminer calls what it finds here by the name of a
// function of its own in the place of that; from version 5 on its helpers are in a namespace.
class AppStackLogin
{
    private function appStackForm()
    {
        return array(
            'driver' => 'pgsql',
            'server' => getenv('DATABASE_HOST') . ':' . getenv('DATABASE_PORT'),
            'username' => getenv('LOGIN'),
            'password' => '',
            'db' => getenv('DATABASE_NAME'),
        );
    }

    public function credentials()
    {
        $it = $this->appStackForm();
        return array($it['server'], $it['username'], getenv('LOGIN_PASSWORD'));
    }

    // The password is ours, and that of the browser is empty, which Adminer would refuse.
    public function login($login, $password)
    {
        return $login === getenv('LOGIN');
    }

    public function loginForm()
    {
        foreach ($this->appStackForm() as $name => $value) {
            printf('<input type="hidden" name="auth[%s]" value="%s">', $name, htmlspecialchars($value, ENT_QUOTES));
        }
        echo '<p><input type="submit" value="Open the database"></p>';
        // Once: after a login that failed the page says why.
        if (!isset($_GET['username'])) {
            $this->appStackScript('document.forms[0].submit();');
        }
        return true;
    }

    // No question to a server outside about newer versions.
    public function head()
    {
        $this->appStackScript('verifyVersion = function () {};');
    }

    private function appStackScript($code)
    {
        $nonce = function_exists('get_nonce') ? get_nonce() : \Adminer\get_nonce();
        printf('<script nonce="%s">%s</script>', $nonce, $code);
    }
}

return new AppStackLogin();

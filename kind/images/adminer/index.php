<?php
// Includes what changes Adminer, as the official image does.
function adminer_object()
{
    require_once 'plugins/plugin.php';
    return new AdminerPlugin(array_map(fn ($file) => require $file, glob('plugins-enabled/*.php')));
}

// The server of PHP leads here whatever it has no file for.
if (basename(parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH) ?? '') === 'adminer.css') {
    http_response_code(404);
    exit;
}
require 'adminer.php';

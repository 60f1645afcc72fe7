# Starts nginx in the place of this shell. It listens on IPv6 as well, but only where the kernel has it: elsewhere that
# line would keep nginx from starting, and it knows no line for "if you can".
set -eu

rm -f /tmp/listen-ipv6.conf
if [ -e /proc/net/if_inet6 ]; then
    echo 'listen [::]:8080;' > /tmp/listen-ipv6.conf
fi
exec nginx -e /dev/stderr -c /etc/nginx/nginx.conf -g 'daemon off;'

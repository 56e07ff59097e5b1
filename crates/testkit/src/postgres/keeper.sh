# Keeps one PostgreSQL server for the process at the other end of standard input, takes its orders, and when that process
# has gone, however it went, stops the server (pg_ctl does so by its process id) and removes its folder.
#
# Arguments: the folder, the folder of PostgreSQL's programs, and the command that becomes PostgreSQL's user, or nothing.
# It answers each order with one line.

folder=$1 programs=$2 become=$3

run() {
    $become "$programs/$@" </dev/null >>"$folder/log" 2>&1
}

while read -r order argument; do
    case $order in
    init)
        run initdb --pgdata "$folder/data" --username "$argument" --auth=trust --encoding=UTF8 --no-locale --no-sync &&
            echo done || echo failed
        ;;
    start)
        options="-p $argument -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=200"
        run pg_ctl start --pgdata "$folder/data" --log "$folder/data/log" --wait --options "$options" &&
            head -n 1 "$folder/data/postmaster.pid" || echo failed
        ;;
    stop)
        run pg_ctl stop --pgdata "$folder/data" --wait --mode "$argument" && echo done || echo failed
        ;;
    esac
done

run pg_ctl stop --pgdata "$folder/data" --wait --mode immediate
rm -rf "$folder"

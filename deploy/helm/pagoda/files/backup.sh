# Back the database up into a file of its own, look whether it can be read, and remove old ones. The environment gives
# DATABASE_URL, BACKUP_FOLDER, BACKUP_KEEP_DAYS, and BACKUP_AFTERWARDS, a command that finds the file in $BACKUP.
umask 077
BACKUP="$BACKUP_FOLDER/pagoda-$(date -u +%Y%m%dT%H%M%SZ).dump"
export BACKUP
rm -f "$BACKUP_FOLDER"/pagoda-*.dump.part # of one that was cut off
pg_dump --dbname "$DATABASE_URL" --format custom --file "$BACKUP.part"
pg_restore --file /dev/null "$BACKUP.part" # reads it to its end
mv "$BACKUP.part" "$BACKUP"
echo "backup: $BACKUP, $(wc -c < "$BACKUP") bytes"
if [ -n "$BACKUP_AFTERWARDS" ]; then sh -euc "$BACKUP_AFTERWARDS"; fi
find "$BACKUP_FOLDER" -name 'pagoda-*.dump' -mtime "+$BACKUP_KEEP_DAYS" -print -delete

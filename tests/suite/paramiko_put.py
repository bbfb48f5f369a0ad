"""Uploads a file as scripts do, with pauses: HOST PORT USER KEY LOCAL REMOTE PIECES PAUSE MTIME.

The file goes in so many pieces; before the last piece the pause is ten times as long. MTIME, if it is not empty, is set at the end."""
import sys
import time

import paramiko

host, port, user, key, local, remote, pieces, pause, mtime = sys.argv[1:]
client = paramiko.SSHClient()
client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
client.connect(host, int(port), user, key_filename=key, allow_agent=False, look_for_keys=False)
sftp = client.open_sftp()
with open(local, "rb") as source:
    content = source.read()
size = -(-len(content) // int(pieces))
with sftp.open(remote, "wb") as target:
    for at in range(0, len(content), size):
        if at:
            last = at + size >= len(content)
            time.sleep(float(pause) * (10 if last else 1))
        target.write(content[at:at + size])
if mtime:
    sftp.utime(remote, (int(mtime), int(mtime)))
client.close()

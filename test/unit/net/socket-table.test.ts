import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import { parseSocketTable } from '../../../src/net/socket-table.ts';

const HEAD = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n';
const REST = '00000000:00000000 00:00000000 00000000     0        0 1 1 0 20 4 30 10 -1\n';

describe('parseSocketTable', () => {
  it('reads connected sockets of both IP versions, and no listening ones', () => {
    const text =
      `${HEAD}   0: 0101090A:0016 00000000:0000 0A ${REST}` +
      `   1: 0101090A:8AE2 0201090A:0050 01 ${REST}` +
      `  12: B80D0120000000000000000001000000:01BB B80D0120000000000000000002000000:C001 08 ${REST}` +
      `  13: 0000000000000000FFFF00000101090A:0016 0000000000000000FFFF00000201090A:C002 01 ${REST}` +
      `  14: 0101090A:8AE3 0201090A:0050 06 ${REST}`;
    assert.deepEqual(parseSocketTable(text, true), [
      { local: '10.9.1.1', localPort: 35_554, remote: '10.9.1.2', remotePort: 80 },
      { local: '2001:db8::1', localPort: 443, remote: '2001:db8::2', remotePort: 49_153 },
      { local: '10.9.1.1', localPort: 22, remote: '10.9.1.2', remotePort: 49_154 },
    ]);
  });

  it('reads what a big-endian kernel prints', () => {
    assert.deepEqual(parseSocketTable(`   1: 0A090101:8AE2 0A090102:0050 01 ${REST}`, false), [
      { local: '10.9.1.1', localPort: 35_554, remote: '10.9.1.2', remotePort: 80 },
    ]);
  });

  it('finds a connection of this process in the table of this kernel', async () => {
    const server = createServer((socket) => socket.resume());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const socket = connect(port, '127.0.0.1');
    await new Promise((resolve) => socket.once('connect', resolve));
    const own = { local: '127.0.0.1', localPort: socket.localPort, remote: '127.0.0.1', remotePort: port };
    const found = parseSocketTable(readFileSync('/proc/net/tcp', 'utf8'));
    assert.ok(found.some((other) => JSON.stringify(other) === JSON.stringify(own)));
    socket.destroy();
    server.close();
  });
});

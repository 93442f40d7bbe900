// `wideplane tcpdump` from the data plane's tap to the file: everything but the worker's thread.

import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { CapturePoint } from '../../../src/assembly/dataplaned/capture-points.ts';
import { CaptureService } from '../../../src/assembly/dataplaned/capture-service.ts';
import { dropComment } from '../../../src/cli/capture-file.ts';
import { LineSink, startDissector } from '../../../src/cli/capture-lines.ts';
import { tcpdump, type TcpdumpFlags } from '../../../src/cli/tcpdump.ts';
import { IpcServer } from '../../../src/ipc/ipc-server.ts';
import { CaptureReader, CaptureWriter, createCaptureMemory } from '../../../src/pipeline/capture.ts';
import { udpService } from '../../../src/tunnel/service.ts';
import { Id, LOCAL, memberRow, PEER_MAC, portRow, REMOTE, Rig, WAN_MAC, words } from '../../support/dataplane-rig.ts';
import { ethernet, hostFrame, ipv4Packet, udp, vxlan } from '../../support/frames.ts';
import { tsharkFields } from '../../support/tshark.ts';

const HOST_A = '02:aa:00:00:00:01';
const HOST_B = '02:bb:00:00:00:01';
const SOCKET_PORT = 3;

const tunnelled = (vni: number): Buffer =>
  ethernet(
    WAN_MAC,
    PEER_MAC,
    0x0800,
    ipv4Packet(
      { source: REMOTE, destination: LOCAL, protocol: 17 },
      udp(50_000, 4789, vxlan(vni, hostFrame(HOST_A, HOST_B))),
    ),
  );

const quiet = (): void => undefined;
const LOG = { debug: quiet, info: quiet, warn: quiet, error: quiet };

const POINTS: Record<string, CapturePoint[]> = {
  '/Common/vx1': [{ row: memberRow(Id.vx1), name: '/Common/vx1', socket: undefined }],
  '1.1': [{ row: portRow(0), name: '1.1', socket: undefined }],
  '1.3': [
    {
      row: portRow(SOCKET_PORT),
      name: '10.9.2.1:4789',
      socket: { address: words('10.9.2.1'), service: udpService(4789) },
    },
  ],
};

describe('wideplane tcpdump', () => {
  const state = mkdtempSync(join(tmpdir(), 'wideplane-'));
  const memory = createCaptureMemory({ points: 256, ringOctets: 1 << 20 });
  let rig: Rig;
  let server: IpcServer;

  before(async () => {
    rig = Rig.withTunnel({ makeTap: (arena) => new CaptureWriter(memory, arena, Date.now) });
    rig.addPort(SOCKET_PORT, 'udp', { address: words('10.9.2.1'), service: udpService(4789), scope: 0 });
    rig.apply(
      rig.tunnelMember(Id.firstFree, { tunnel: { key: 7, local: words('10.9.2.1'), remote: words('10.9.2.2') } }),
    );
    rig.resolveRemote();
    const service = new CaptureService(new CaptureReader(memory), {
      find: (name) => POINTS[name],
      all: () => Object.values(POINTS).flat(),
    });
    server = new IpcServer(
      join(state, 'dataplaned.sock'),
      { capture: (params, context) => service.capture(params, context) },
      LOG,
    );
    await server.listen();
  });

  after(async () => {
    await server.close();
    rmSync(state, { recursive: true });
  });

  const flags = (change: Partial<TcpdumpFlags>): TcpdumpFlags => {
    const file = join(state, 'out.pcapng');
    return { points: [], dropped: false, file, count: 1, snaplen: 262_144, state, ...change };
  };

  /** Captures while `traffic` goes on again and again, until the command has what it wants. */
  async function captureDuring(change: Partial<TcpdumpFlags>, traffic: () => void): Promise<Uint8Array> {
    const file = join(state, 'out.pcapng');
    rmSync(file, { force: true });
    const timer = setInterval(traffic, 20);
    try {
      assert.equal(await tcpdump(flags({ file, ...change })), 0);
    } finally {
      clearInterval(timer);
    }
    return readFileSync(file);
  }

  it('writes the inner frames of a tunnel, both ways', async () => {
    const capture = await captureDuring({ points: ['/Common/vx1'], count: 4 }, () => {
      rig.send(1, hostFrame(HOST_B, HOST_A));
      rig.send(0, tunnelled(100));
    });
    const lines = tsharkFields(capture, [
      'frame.interface_name',
      'eth.src',
      'frame.packet_flags_direction',
      'frame.comment',
    ]);
    assert.equal(lines.length, 4);
    const directions: Record<string, string> = { [HOST_A]: '0x00000002', [HOST_B]: '0x00000001' };
    for (const [name, source, direction, comment] of lines) {
      assert.equal(name, '/Common/vx1');
      assert.equal(direction, directions[source!]);
      assert.equal(comment, '');
    }
    assert.equal(new Set(lines.map(([, source]) => source)).size, 2);
  });

  it('writes what is dropped, whole, with the reason as a comment', async () => {
    const capture = await captureDuring({ dropped: true, count: 2 }, () => rig.send(0, tunnelled(999)));
    const fields = ['frame.interface_name', 'vxlan.vni', 'ip.src', 'frame.comment'];
    const expected = ['1.1', '999', `${REMOTE},172.16.0.1`, dropComment('unknown-vni')];
    assert.deepEqual(tsharkFields(capture, fields), [expected, expected]);
    assert.match(dropComment('unknown-vni'), /^dropped: unknown-vni \(no tunnel has this VNI/);
  });

  it('gives what a socket carried its outer headers back', async () => {
    const capture = await captureDuring({ points: ['1.3'], count: 1 }, () => {
      rig.send(SOCKET_PORT, vxlan(7, hostFrame(HOST_A, HOST_B)));
    });
    const fields = ['ip.src', 'ip.dst', 'udp.srcport', 'udp.dstport', 'vxlan.vni'];
    const [line] = tsharkFields(capture, fields);
    assert.deepEqual(line, [`${REMOTE},172.16.0.1`, '10.9.2.1,172.16.0.2', '50000,4000', '4789,4001', '7']);
  });

  it('cuts frames at the snap length and says how long they were', async () => {
    const capture = await captureDuring({ points: ['/Common/vx1'], snaplen: 40 }, () => {
      rig.send(1, hostFrame(HOST_B, HOST_A, 700));
    });
    assert.deepEqual(tsharkFields(capture, ['frame.cap_len', 'frame.len']), [['40', '700']]);
  });

  it('says that a name does not exist, and leaves the file alone', async () => {
    const file = join(state, 'untouched.pcapng');
    assert.equal(await tcpdump(flags({ points: ['nowhere'], file })), 1);
    assert.equal(existsSync(file), false);
    assert.equal(await tcpdump(flags({ points: [], file })), 1);
    assert.equal(await tcpdump(flags({ points: ['1.1'], state: '/nonexistent' })), 1);
  });

  it('prints the packet in a tunnel on the line of the packet around it', async () => {
    const lines: string[] = [];
    const sink = new LineSink((line) => lines.push(line), await startDissector());
    const frame = { direction: 2, drop: '', timeNs: '1800000000123456789', originalOctets: 110, point: '1.1' };
    for (const vni of [5, 6]) await sink.write({ ...frame, octets: tunnelled(vni).toString('base64') });
    await sink.close();
    assert.equal(lines.length, 2);
    assert.match(lines[1]!, /^\S+ 1\.1 out .* vni 6: 02:bb:00:00:00:01 > 02:aa:00:00:00:01/);
  });

  for (const how of ['tcpdump', 'the short line'] as const) {
    it(`prints a line a frame by ${how}`, async () => {
      const lines: string[] = [];
      const sink = new LineSink((line) => lines.push(line), how === 'tcpdump' ? await startDissector() : undefined);
      const frame = { direction: 1, drop: '', timeNs: '1800000000123456789', originalOctets: 60, point: 'vx1' };
      const octets = hostFrame(HOST_A, HOST_B).toString('base64');
      await sink.write({ ...frame, octets });
      await sink.write({ ...frame, octets, drop: 'unknown-vni', point: '1.1' });
      await sink.close();
      assert.equal(lines.length, 2);
      assert.match(lines[0]!, /^\d\d:\d\d:\d\d\.123456 vx1 in 02:bb:00:00:00:01 > 02:aa:00:00:00:01, .*172\.16\.0\.1/);
      assert.match(lines[1]!, /^\d\d:\d\d:\d\d\.123456 1\.1 dropped: unknown-vni 02:bb/);
    });
  }
});

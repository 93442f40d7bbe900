import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { basicSession } from '../../support/tmsh-session.ts';

describe('show', () => {
  it('renders values, sections, drops by name and a table', async () => {
    const session = await basicSession();
    session.replies = [
      {
        rows: [
          {
            name: '/Common/vx1',
            stats: { State: 'up', MTU: 1450 },
            sections: [{ title: 'Traffic', stats: { 'Frames In': 12, 'Frames Out': 3456 } }],
            drops: { 'unknown-vni': 7, 'no-buffer': 0 },
            table: {
              columns: ['Mac', 'Endpoint', 'Age'],
              rows: [
                ['00:00:00:00:00:01', '10.0.0.1', 5],
                ['00:00:00:00:00:02', '-', 120],
              ],
            },
          },
          { name: '/Other/vx2', drops: {}, table: { title: 'FDB', columns: ['Mac'], rows: [] } },
        ],
      },
    ];
    assert.equal(
      await session.run('show net tunnels tunnel'),
      `----------------------------------------
Net::Tunnel: vx1
----------------------------------------
State  up
MTU    1450

Traffic
  Frames In     12
  Frames Out  3456

Drops
  unknown-vni  7

Mac                Endpoint  Age
00:00:00:00:00:01  10.0.0.1    5
00:00:00:00:00:02  -         120

----------------------------------------
Net::Tunnel: /Other/vx2
----------------------------------------
Drops
  none

FDB
Mac
none

`,
    );
  });

  it('goes on with a table over pages under one title', async () => {
    const session = await basicSession();
    const columns = ['Mac', 'Age'];
    session.replies = [
      { rows: [{ name: '/Common/wan', table: { columns, rows: [['00:00:00:00:00:01', 10]] } }], next: '1' },
      { rows: [{ name: '/Common/wan', table: { columns, rows: [['00:00:00:00:00:02', 7]] } }] },
    ];
    const output = await session.run('show net fdb vlan wan');
    assert.equal(output.match(/Net::VLAN FDB: wan/g)?.length, 1);
    assert.match(output, /00:00:00:00:00:01 {3}10\n\n?00:00:00:00:00:02 {4}7\n/);
    assert.deepEqual(session.asked[0], { type: 'net fdb vlan', names: ['/Common/wan'] });
  });

  it('says that there is nothing', async () => {
    const session = await basicSession();
    session.replies = [{ rows: [] }];
    assert.equal(await session.run('show net arp'), 'Net::ARP entry: no records\n');
  });

  it('shows the state of the configuration', async () => {
    assert.match(
      await (await basicSession()).run('show sys config status'),
      /Sys::Config: configd\n-+\nGeneration {2}7\n/,
    );
  });
});

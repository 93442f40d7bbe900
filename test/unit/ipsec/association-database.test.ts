// The two ways between the same ends know of each other, whichever comes and goes.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MAX_ASSOCIATIONS } from '../../../src/config/types/net-ipsec-manual-security-association.ts';
import { AssociationDatabase, type AssociationSpec } from '../../../src/ipsec/association-database.ts';
import { specOf } from '../../support/ipsec-rig.ts';
import { words } from '../../support/dataplane-rig.ts';

const [HERE, THERE] = ['192.0.2.1', '192.0.2.2'];

function spec(id: number, source: string, destination: string): AssociationSpec {
  const place = { id, name: `sa${id}`, row: 0, routeDomain: 0, policy: 1, sends: source === HERE, tunnel: -1 };
  const sa = specOf({ spi: 1000 + id, source: words(source), destination: words(destination) });
  return { ...place, key: id, openedSecond: 0, sa };
}

describe('the association database', () => {
  it('knows of each association the newest of the other way', () => {
    const database = new AssociationDatabase();
    const out = database.set(spec(5, HERE, THERE), 0);
    assert.equal(out.reverse, undefined);
    const first = database.set(spec(1, THERE, HERE), 0);
    assert.equal(out.reverse, first);
    assert.equal(first.reverse, out);
    const second = database.set(spec(0, THERE, HERE), 0);
    assert.equal(out.reverse, second);
    assert.equal(second.reverse, out);
    const successor = database.set(spec(5, HERE, THERE), 0);
    assert.equal(first.reverse, successor);
    assert.equal(successor.reverse, second);
    database.remove(0);
    assert.equal(successor.reverse, first);
    database.remove(1);
    assert.equal(successor.reverse, undefined);
  });

  it('takes as many as there may be, and finds the last', () => {
    const database = new AssociationDatabase();
    for (let id = 0; id < MAX_ASSOCIATIONS; id++) {
      const far = `10.${id >>> 13}.${(id >>> 6) & 127}.${1 + ((id >>> 1) & 31)}`;
      database.set(id % 2 === 0 ? spec(id, HERE, far) : spec(id, far, HERE), 0);
    }
    const last = database.get(MAX_ASSOCIATIONS - 1)!;
    const { sa } = last.spec;
    assert.equal(database.findInbound(sa.protocol, 0, sa.spi | 0, ...sa.destination), last);
    assert.deepEqual(last.reverse?.spec.sa.destination, sa.source);
    assert.equal(database.size, MAX_ASSOCIATIONS);
  });
});

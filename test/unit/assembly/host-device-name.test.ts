import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { hostDeviceNames } from '../../../src/assembly/dataplaned/host-device-name.ts';

const nameOf = (object: string): string => hostDeviceNames([object]).get(object)!;

describe('hostDeviceNames', () => {
  it('names a device after its object where the name fits', () => {
    assert.equal(nameOf('/Common/wan'), 'wp-wan');
    assert.equal(nameOf('/Common/twelve-chars'), 'wp-twelve-chars');
  });

  it('shortens what does not fit, and what lies elsewhere, to a name of its own', () => {
    const objects = [
      '/Common/thirteen-char',
      '/Common/thirteen-chax',
      '/Tenant/wan',
      '/Common/folder/wan',
      '/Common/a+b',
    ];
    const names = objects.map(nameOf);
    assert.equal(new Set(names).size, objects.length);
    for (const name of names) assert.match(name, /^wp-[A-Za-z0-9_.-]{1,12}$/);
    assert.match(names[0]!, /^wp-thirte-[0-9a-v]{5}$/);
  });

  it('gives the same name whatever else there is', () => {
    const many = Array.from({ length: 3000 }, (_, index) => `/Tenant/a-long-tunnel-name-${index}`);
    const names = hostDeviceNames(many);
    assert.equal(new Set(names.values()).size, many.length);
    const alone = many.filter((object) => nameOf(object) === names.get(object));
    assert.ok(alone.length >= many.length - 2, `${many.length - alone.length} names depend on others`);
    assert.deepEqual(hostDeviceNames([...many].reverse()), names);
  });
});

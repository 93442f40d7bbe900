import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DEFAULT_SERVICES, packService, parseService } from '../../../src/wire/service-names.ts';

describe('parseService', () => {
  it('reads protocols and ports by number and by name', () => {
    assert.equal(parseService('tcp:443'), packService(6, 443));
    assert.equal(parseService('tcp:https'), packService(6, 443));
    assert.equal(parseService('udp:domain'), packService(17, 53));
    assert.equal(parseService('udp:0'), packService(17, 0));
    assert.equal(parseService('tcp:any'), packService(6, 0));
    assert.equal(parseService('ospf'), packService(89, 0));
    assert.equal(parseService('89'), packService(89, 0));
    assert.equal(parseService('tcp:65535'), packService(6, 65_535));
  });

  it('refuses what it does not know', () => {
    for (const text of [
      '',
      'tcp:',
      'tcp:65536',
      'tcp:nosuch',
      'nosuch',
      '256',
      'tcp:443:1',
      'TCP:443',
      'constructor',
    ]) {
      assert.equal(parseService(text), undefined, text);
    }
  });

  it('knows what a BIG-IP lets in by default', () => {
    const ports = (protocol: number): number[] =>
      DEFAULT_SERVICES.filter((service) => service >>> 16 === protocol).map((service) => service & 0xffff);
    assert.deepEqual(ports(6), [22, 53, 161, 443, 4353]);
    assert.deepEqual(ports(17), [53, 161, 520, 1026, 4353]);
    for (const protocol of [2, 89, 103]) assert.deepEqual(ports(protocol), [0]);
    assert.equal(DEFAULT_SERVICES.length, 13);
  });
});

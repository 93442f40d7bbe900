// How much larger packets become: figures worked out by hand.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ahOctets, largestInnerOctets, sealedOctets } from '../../../src/ipsec/overhead.ts';
import { IpsecProtocol } from '../../../src/ipsec/security-association.ts';
import { specOf } from '../../support/ipsec-rig.ts';

const CBC = { cipher: 'aes-cbc', mac: 'hmac-sha256-128' } as const;

describe('the size of what an SA carries', () => {
  it('AES-GCM over IPv4: 20 + 8 + 8 + payload, padded to 4 with its trailer, + 16', () => {
    assert.deepEqual(
      [98, 99, 100, 101, 102, 103].map((octets) => sealedOctets(specOf(), octets)),
      [152, 156, 156, 156, 156, 160],
    );
    assert.equal(largestInnerOctets(specOf(), 1500), 1446);
    assert.equal(sealedOctets(specOf(), 1446), 1500);
  });

  it('AES-CBC in UDP over IPv6: 40 + 8 + 8 + 16 + payload, padded to 16 with its trailer, + 16', () => {
    const spec = specOf({ family: 6, transform: CBC, udpSourcePort: 4500, udpDestinationPort: 4500 });
    assert.equal(sealedOctets(spec, 1406), 1496);
    assert.equal(sealedOctets(spec, 1407), 1512);
    assert.equal(largestInnerOctets(spec, 1500), 1406);
  });

  it('in transport mode the header stays in front', () => {
    const spec = specOf({ isTunnel: false });
    assert.equal(sealedOctets(spec, 1466), 1500);
    assert.equal(largestInnerOctets(spec, 1500), 1466);
    assert.equal(sealedOctets(spec, 40 + 100, 6), 40 + 16 + 104 + 16);
    assert.equal(sealedOctets(spec, 28 + 100, 4, 28), 28 + 16 + 104 + 16);
  });

  it('AH adds its own octets, which differ by version and alignment', () => {
    const spec = specOf({ protocol: IpsecProtocol.ah, transform: { cipher: 'null', mac: 'hmac-sha256-128' } });
    assert.deepEqual([ahOctets(spec, 4), ahOctets({ ...spec, ahAlign8: true }, 4), ahOctets(spec, 6)], [28, 32, 32]);
    assert.equal(sealedOctets(spec, 1000), 1048);
    assert.equal(sealedOctets({ ...spec, isTunnel: false }, 1000, 6), 1032);
    assert.equal(largestInnerOctets(spec, 1500), 1452);
  });

  it('leaves no room in an MTU that is too small', () => {
    assert.ok(largestInnerOctets(specOf(), 40) <= 0);
  });
});

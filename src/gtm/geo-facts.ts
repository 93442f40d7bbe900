// What topology wants to know of an address, and where the usual databases have it: those of MaxMind (GeoLite2 and GeoIP2
// Country, City, ISP, ASN and Enterprise) and of DB-IP, which has the same names.

import type { GeoDecoder } from './geo-decoder.ts';

/** undefined: nobody says. */
export type GeoFacts = {
  /** Two letters: AF, AN, AS, EU, NA, OC, SA. */
  readonly continent: string | undefined;
  /** Two letters of ISO 3166-1. */
  readonly country: string | undefined;
  /** `US/Washington`: the country, and the English name of its largest part that has the address. */
  readonly state: string | undefined;
  /** Who provides the address to its users: the provider, else the holder of its autonomous system. */
  readonly isp: string | undefined;
};

export type GeoFactKind = keyof GeoFacts;

type Path = readonly (Uint8Array | number)[];

const path = (...steps: (string | number)[]): Path =>
  steps.map((step) => (typeof step === 'number' ? step : new TextEncoder().encode(step)));

const CONTINENT = path('continent', 'code');
const COUNTRY = path('country', 'iso_code');
const SUBDIVISION = path('subdivisions', 0, 'names', 'en');
const PROVIDERS = [
  path('isp'),
  path('traits', 'isp'),
  path('autonomous_system_organization'),
  path('traits', 'autonomous_system_organization'),
];

/** Of a record in the data section. */
export function geoFact(decoder: GeoDecoder, offset: number, kind: GeoFactKind): string | undefined {
  switch (kind) {
    case 'continent':
      return decoder.text(offset, CONTINENT);
    case 'country':
      return decoder.text(offset, COUNTRY);
    case 'state': {
      const state = decoder.text(offset, SUBDIVISION);
      const country = state === undefined ? undefined : decoder.text(offset, COUNTRY);
      return country === undefined ? undefined : `${country}/${state}`;
    }
    case 'isp':
      for (const provider of PROVIDERS) {
        const isp = decoder.text(offset, provider);
        if (isp !== undefined) return isp;
      }
      return undefined;
  }
}

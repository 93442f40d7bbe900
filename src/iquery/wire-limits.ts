// How much of everything a stream of the mesh may have (docs/iquery.md, "Limits").

/** The root element of both directions. It never ends while the connection lasts. */
export const ROOT = 'xml_connection';

/** Characters of each text of a list. */
export const LISTED_CHARACTERS = 512;

export type WireLimits = {
  /** Of a child of the root with all that is in it, of a comment, of a processing instruction. */
  readonly messageOctets: number;
  /** Of elements within each other, the root counted. */
  readonly depth: number;
  readonly nameOctets: number;
  /** Of a start tag from `<` to `>`: attributes are skipped. */
  readonly tagOctets: number;
  /** Of names of unknown elements that are told of. */
  readonly toldNames: number;
};

/** The largest message there can be, an answer whose every character is escaped, has 164,000 octets. */
export const WIRE_LIMITS: WireLimits = {
  messageOctets: 262_144,
  depth: 32,
  nameOctets: 128,
  tagOctets: 4096,
  toldNames: 100,
};

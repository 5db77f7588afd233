import { describe, expect, test } from 'vitest';
import { Fault } from '../../src/contract/faults.ts';
import { asOneOnly, judgeRefusal } from '../../src/mirror/judge/refusal.ts';

const key = new Fault('401', {
  disposition: 'halt',
  halt: 'auth',
  outcome: 'refused',
  rule: 'auth',
  status: 401,
});
const header = new Fault('400 a header is missing', {
  disposition: 'retry',
  outcome: 'refused',
  rule: 'server-400',
  status: 400,
});
const refused = new Fault('403 not this one', {
  disposition: 'halt',
  halt: 'auth',
  outcome: 'refused',
  rule: 'auth',
});
const network = new Fault('ECONNRESET', { disposition: 'retry', outcome: 'refused', rule: 'network' });

describe('whose a refusal is', () => {
  test.each([
    { what: 'granted before and after: the file’s own', probe: null, hasWitness: true, kind: 'own' },
    { what: 'granted after it alone: asked once more', probe: null, hasWitness: false, kind: 'unproven' },
    { what: 'the key is refused everywhere', probe: key, hasWitness: true, kind: 'lane' },
    { what: 'every request misses a header', probe: header, hasWitness: true, kind: 'lane' },
    {
      what: 'nothing is known while the API does not answer',
      probe: network,
      hasWitness: true,
      kind: 'lane',
    },
    { what: 'and least of all without a witness', probe: network, hasWitness: false, kind: 'lane' },
  ])('$what', ({ probe, hasWitness, kind }) => {
    for (const isAboutRights of [true, false]) {
      const evidence = {
        probe,
        wasGranted: hasWitness,
        before: hasWitness ? 1 : 0,
        isAboutRights,
        mayUpload: true,
      };
      expect(judgeRefusal(refused, evidence)).toEqual(
        kind === 'lane' ? { kind: 'lane', fault: probe } : { kind },
      );
    }
  });

  test('a key that has uploaded nothing yet may be one that only reads: no file is to blame', () => {
    const evidence = { probe: null, wasGranted: true, before: 3, mayUpload: false };
    expect(judgeRefusal(refused, { ...evidence, isAboutRights: true })).toMatchObject({
      kind: 'lane',
      fault: { disposition: 'retry', scope: 'lane', message: expect.stringContaining('may this key upload') },
    });
    expect(judgeRefusal(refused, { ...evidence, isAboutRights: false })).toEqual({ kind: 'own' });
    // Again and again, while others had their chance.
    expect(judgeRefusal(refused, { ...evidence, before: 4, isAboutRights: true })).toEqual({ kind: 'own' });
  });

  test('a missing right is the file’s own only when it is refused twice: a key may be out of favour for a moment', () => {
    const evidence = { probe: null, wasGranted: true, isAboutRights: true, mayUpload: true };
    expect(judgeRefusal(refused, { ...evidence, before: 0 })).toEqual({ kind: 'unproven' });
    expect(judgeRefusal(refused, { ...evidence, before: 1 })).toEqual({ kind: 'own' });
  });

  test('what was refused before, with lists granted after it, is the file’s own', () => {
    const evidence = { probe: null, wasGranted: false, isAboutRights: false, mayUpload: true };
    expect(judgeRefusal(refused, { ...evidence, before: 0 })).toEqual({ kind: 'unproven' });
    expect(judgeRefusal(refused, { ...evidence, before: 1 })).toEqual({ kind: 'own' });
  });

  test('a refusal of one id stops nothing else, and keeps its words', () => {
    const alone = asOneOnly(key);
    expect(alone).toMatchObject({
      message: '401',
      disposition: 'retry',
      scope: 'file',
      rule: 'auth',
      status: 401,
    });
    expect(alone.halt).toBeUndefined();
  });
});

import { expect, test } from 'vitest';
import { SendingRoom } from '../../src/mirror/sending-room.ts';

function fill(room: SendingRoom, count: number, priority: number): void {
  for (let n = 0; n < count; n++) expect(room.enter(`low/${n}`, priority)).toBe(true);
}

test('when all places are taken, only a higher priority enters', () => {
  const room = new SendingRoom();
  fill(room, 256, 0);
  expect(room.freePlaces).toBe(0);
  expect(room.enter('late', 0)).toBe(false);
  expect(room.enter('urgent', 10)).toBe(true);
  expect(room.size).toBe(257);
});

test('a place is free again when its path has left, once however often it leaves', () => {
  const room = new SendingRoom();
  fill(room, 256, 0);
  room.leave('low/0');
  room.leave('low/0');
  expect(room.freePlaces).toBe(1);
  expect(room.enter('next', 0)).toBe(true);
  expect(room.enter('too late', 0)).toBe(false);
});

test('a path that enters again with another priority counts once', () => {
  const room = new SendingRoom();
  fill(room, 255, 0);
  room.enter('moved', 10);
  room.enter('moved', 0);
  expect(room.size).toBe(256);
  expect(room.enter('urgent', 5)).toBe(true);
});

/** Where the elements of lists stand by `id`, for lists in which elements are found by it again and again. */

import { elementsOf } from "./data.ts";
import { idOf, placeOfId } from "./elements.ts";

type List = readonly unknown[];

/** What is known of a list, and goes over to the list that takes its place with the same ids. */
interface Known {
  /** How often it has been looked through. */
  looks: number;
  places: Map<string, number> | undefined;
}

/**
 * For lists that nobody changes but who says so here. To know that an id is there once takes a look at every element, which
 * was half the time of a patch of one in 500; and the list that the patch leaves has the same ids at the same places.
 */
export class KnownLists {
  readonly #known = new WeakMap<List, Known>();
  readonly #shortest: number;
  readonly #enoughLooks: number;

  /**
   * @param shortest - a list with fewer elements is looked through each time.
   * @param enoughLooks - to find all places costs as much as so many looks: so what is done in vain is never more than
   *   what had to be done.
   */
  constructor(shortest: number = 16, enoughLooks: number = 8) {
    this.#shortest = shortest;
    this.#enoughLooks = enoughLooks;
  }

  /** The same as `placeOfId`. */
  placeOfId(list: List, id: string): number | undefined {
    if (list.length < this.#shortest) return placeOfId(list, id);
    const known = this.#of(list);
    if (known.places === undefined) {
      known.looks += 1;
      if (known.looks < this.#enoughLooks) return placeOfId(list, id);
      known.places = placesIn(list);
    }
    const place = known.places.get(id);
    return place === TWICE ? undefined : place;
  }

  /** Another list has the same ids at the same places, and stands where this one stood. */
  succeed(list: List, successor: List): void {
    const known = this.#known.get(list);
    if (known === undefined) return;
    this.#known.delete(list); // as few weak keys as there are such lists, not one for each version that is kept
    this.#known.set(successor, known);
  }

  /** It has got one more element, at its end. */
  append(list: List): void {
    const places = this.#known.get(list)?.places;
    if (places !== undefined) addPlace(places, list, list.length - 1);
  }

  /** Its ids or their places change. */
  forget(list: List): void {
    this.#known.delete(list);
  }

  #of(list: List): Known {
    let known = this.#known.get(list);
    if (known === undefined) this.#known.set(list, (known = { looks: 0, places: undefined }));
    return known;
  }
}

/** Where the one element with this id stands, by what is known of its list if anything is. */
export function placeKnown(list: List, id: string, lists: KnownLists | undefined): number | undefined {
  return lists === undefined ? placeOfId(list, id) : lists.placeOfId(list, id);
}

const TWICE = -1;

function placesIn(list: List): Map<string, number> {
  const places = new Map<string, number>();
  const elements = elementsOf(list);
  for (let index = 0; index < elements.length; index++) addPlace(places, elements, index);
  return places;
}

function addPlace(places: Map<string, number>, list: List, index: number): void {
  const id = idOf(list[index]);
  if (id !== undefined) places.set(id, places.has(id) ? TWICE : index);
}

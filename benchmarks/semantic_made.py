"""Prompts made by program, for those who have no folder of real ones: the semantic benchmark and the tests use them.

    stream(lookups, chance)     rows as in a folder's `stream_*` files: prompt, answer_class, source, in the order asked
    pairs(kind, chance)         pairs that need two answers: other numbers, opposites or other names (`KINDS`)

Everything here was written for this library. A prompt is a wording of a family with its slots filled; two prompts have
one answer when family and slots agree. Wordings of one family differ as people differ; families are near one another on
purpose (activate a card, block a card), and so are slots (one number, one name, one side of a pair of opposites).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

SLOTS: dict[str, tuple[str, ...]] = {
    "card": ("debit card", "credit card", "gift card", "travel card", "virtual card"),
    "city": ("Paris", "Oslo", "Boston", "Lima", "Nairobi", "Vienna", "Osaka", "Denver", "Dublin", "Cairo"),
    "town": ("Lyon", "Bergen", "Austin", "Cusco", "Graz", "Kyoto", "Cork", "Luxor", "Porto", "Ghent"),
    "language": ("French", "German", "Spanish", "Italian", "Japanese", "Turkish", "Polish", "Swedish"),
    "code": ("Python", "Rust", "Java", "Kotlin", "Ruby", "Go", "PHP", "Swift"),
    "number": ("3", "4", "5", "7", "12", "15", "20", "25", "30", "48", "75", "120", "250", "400"),
    "person": ("Newton", "Darwin", "Mozart", "Picasso", "Galileo", "Turing", "Gandhi", "Churchill", "Curie", "Kepler"),
    "firm": ("Siemens", "Toyota", "Nestle", "Philips", "Boeing", "Airbus", "Volvo", "Canon"),
    "drug": ("ibuprofen", "aspirin", "metformin", "warfarin", "omeprazole", "amoxicillin"),
    "dish": ("rice", "lentils", "salmon", "potatoes", "chickpeas", "pasta", "quinoa"),
    "metal": ("copper", "zinc", "silver", "nickel", "iron", "tin"),
    "thing": ("passport", "invoice", "parcel", "phone", "password", "laptop", "ticket", "receipt", "suitcase", "key"),
}
OPPOSITES = (
    ("increase", "decrease"), ("encrypt", "decrypt"), ("import", "export"), ("enable",
    "disable"), ("upload", "download"),
    ("install", "uninstall"), ("buy", "sell"), ("lock", "unlock"), ("maximise", "minimise"), ("mount", "unmount"),
)  # fmt: skip
SLOTS["way"] = tuple(word for pair in OPPOSITES for word in pair)
SLOTS["object"] = ("the volume", "a shared folder", "the contact list", "my account", "shares", "the app", "the disk")

FAMILIES: dict[str, tuple[str, ...]] = {
    "activate": (
        "How do I activate my {card}?", "how can i activate a new {card}",
        "my {card} came, how do I get it activated?",
        "what do i need to do to activate the {card}", "steps for {card} activation please",
    ),
    "block": (
        "How do I block my {card}?", "how can i block a {card}", "i need my {card} blocked, how?",
        "what do i need to do to block the {card}", "steps for blocking a {card}",
    ),
    "lost": (
        "I lost my {thing}, what should I do?", "what do i do when my {thing} is lost",
        "my {thing} has gone missing, help",
        "lost {thing}: what now?", "I can't find my {thing} any more, what are the next steps?",
    ),
    "renew": (
        "How long does it take to renew a {thing}?", "how long is the wait for a new {thing}",
        "time needed to get a {thing} renewed", "if I renew my {thing}, when do I get it?",
    ),
    "train": (
        "Is there a train from {city} to {town}?", "can I go from {city} to {town} by train",
        "trains going to {town} from {city}", "I want to take the train to {town}, starting in {city}. Is there one?",
    ),
    "train back": (
        "Is there a train from {town} to {city}?", "can I go from {town} to {city} by train",
        "trains going to {city} from {town}", "I want to take the train to {city}, starting in {town}. Is there one?",
    ),
    "weather": (
        "What is the weather like in {city} in May?", "how is {city} in may, weather wise", "{city} weather in May",
        "what weather should I expect when I am in {city} in May",
    ),
    "translate": (
        "How do I say good night in {language}?", "good night in {language}, please",
        "what's {language} for good night",
        "how do people who speak {language} wish one a good night",
    ),
    "reverse": (
        "Write a function in {code} that reverses a string", "{code} function to reverse a string",
        "how do i reverse a string in {code}", "string reversal in {code}, as a function",
    ),
    "sort": (
        "Write a function in {code} that sorts a list", "{code} function to sort a list",
        "how do i sort a list in {code}",
        "sorting a list in {code}, as a function",
    ),
    "percent": (
        "What is {number} percent of {number2}?", "{number}% of {number2}", "calculate {number} % of {number2}",
        "how much is {number} percent of {number2}",
    ),
    "sum": (
        "A farmer has {number} sheep and buys {number2} more. How many sheep does he have?",
        "how many sheep has a farmer with {number} sheep who buys another {number2}",
        "If a farmer owns {number} sheep and then buys {number2}, what is the number of sheep he owns?",
    ),
    "born": (
        "When was {person} born?", "what is the birth date of {person}", "{person} date of birth",
        "in which year was {person} born",
    ),
    "famous": (
        "What is {person} famous for?", "why is {person} so well known", "what made {person} famous",
        "tell me what {person} is known for",
    ),
    "seat": (
        "Where does {firm} have its head office?", "in which city is the headquarters of {firm}",
        "{firm} head office location",
        "where is {firm} based",
    ),
    "dose": (
        "How many hours should I wait between two doses of {drug}?", "what is the time between doses of {drug}",
        "{drug}: how long until the next dose?", "after taking {drug}, when can I take it again?",
    ),
    "cook": (
        "How long should I cook {dish}?", "what is the cooking time for {dish}", "{dish} cooking time",
        "how many minutes do {dish} need on the stove",
    ),
    "freeze": (
        "Can I freeze cooked {dish}?", "is it ok to freeze {dish} once cooked",
        "freezing cooked {dish}, is that possible?",
        "do cooked {dish} keep in the freezer",
    ),
    "melt": (
        "At what temperature does {metal} melt?", "what is the melting point of {metal}",
        "{metal} melting temperature",
        "how hot must {metal} be to melt",
    ),
    "way": (
        "How do I {way} {object}?", "what is the best way to {way} {object}",
        "I would like to {way} {object}, how does it work?",
        "please explain to me how to {way} {object}",
    ),
}  # fmt: skip
_SLOT = re.compile(r"\{(\w+?)(\d?)\}")


@dataclass(frozen=True, slots=True)
class Asked:
    """A family with its slots filled: what is asked, whatever the wording."""

    family: str
    filled: tuple[tuple[str, str], ...]

    def worded(self, wording: int) -> str:
        wordings = FAMILIES[self.family]
        return _SLOT.sub(lambda slot: dict(self.filled)[slot[1] + slot[2]], wordings[wording % len(wordings)])

    @property
    def answer(self) -> str:
        return f"{self.family}|{self.filled}"


def asked(chance: Random, family: str = "") -> Asked:
    """Anything, or anything of a family."""
    family = family or chance.choice(list(FAMILIES))
    slots = sorted({slot[1] + slot[2] for slot in _SLOT.finditer("".join(FAMILIES[family]))})
    return Asked(family, tuple((slot, chance.choice(SLOTS[slot.rstrip("2")])) for slot in slots))


def stream(lookups: int, chance: Random) -> Iterator[dict[str, str]]:
    """Prompts in the order asked: a little less than half of them ask again what was asked, mostly in other words."""
    before: list[Asked] = []
    for _ in range(lookups):
        one = chance.choice(before) if before and chance.random() < 0.45 else asked(chance)
        before.append(one)
        yield {"prompt": one.worded(chance.randrange(8)), "answer_class": one.answer, "source": f"made:{one.family}"}


KINDS = {
    "numbers": ("percent", "sum"),
    "opposites": ("way",),
    "names": ("born", "famous", "seat", "train", "weather", "translate", "reverse", "dose", "melt"),
    "turned": ("train",),
}


def pairs(kind: str, chance: Random) -> Iterator[tuple[str, str]]:
    """Pairs without end that need two answers, each in a wording of its own: one slot is another, or (`turned`) two
    slots change places."""
    while True:
        one = asked(chance, chance.choice(KINDS[kind]))
        other = _turned(one) if kind == "turned" else _changed(one, kind, chance)
        if one.answer != other.answer:
            yield one.worded(chance.randrange(8)), other.worded(chance.randrange(8))


def _turned(one: Asked) -> Asked:
    return Asked("train back", one.filled)


def _changed(one: Asked, kind: str, chance: Random) -> Asked:
    filled = dict(one.filled)
    if kind == "opposites":
        filled["way"] = next(b if a == filled["way"] else a for a, b in OPPOSITES if filled["way"] in (a, b))
    else:
        slot = chance.choice(list(filled))
        filled[slot] = chance.choice(SLOTS[slot.rstrip("2")])
    return Asked(one.family, tuple(sorted(filled.items())))

"""Story → prompts by rules: camera words are the motion, a person and what they wear the character, the rest the place.

Korean puts what describes a thing before it and marks it with particles ("해질녘 바닷가를 | 걷는 여자"); English
puts it after, behind prepositions ("a woman walks | along the beach | at dusk"). Clauses that no word decides
go to what their meaning is nearest to, when the sentence encoder is installed, and to the character otherwise.
"""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import ClassVar, Literal

import jinja2
import yaml
from jinja2.sandbox import SandboxedEnvironment
from pydantic import ValidationError

from vpgen.backends.text import encoder
from vpgen.backends.text.scene import Word, is_korean, words
from vpgen.clip import Prompt, Value
from vpgen.errors import ConfigError
from vpgen.stages import PlanRequest, Readiness, Usage, Work

Part = Literal["character", "background", "motion", "style"]
TEMPLATES = Path(__file__).with_name("templates")
_CAMERA = re.compile(
    r"camera|카메라|\bshot\b|샷\b|push(es|ing)?[- ]in|pull(s|ing)?[- ](out|back)|dolly|zoom|줌|\bpan(s|ning)?\b|패닝|\btilt|틸트"
    r"|orbit|선회|\bcrane|크레인|hand[- ]?held|핸드헬드|tracking|트래킹|클로즈\s*업|close[- ]?up",
    re.IGNORECASE,
)
_STYLE = re.compile(
    r"style|스타일|풍으로|풍의|화풍|느낌|분위기|\bmood\b|cinematic|시네마틱|watercolou?r|수채화|anime|애니메이션|film grain|필름",
    re.IGNORECASE,
)
_PREPOSITIONS = (
    "in front of|at the edge of|on top of|in|on|at|along|through|across|by|near|under|over|beside|inside|into|from|during|"
    "beneath|above|around|toward|towards|to|against|with|wearing|holding|carrying|while|as|beyond|behind|past|amid|among|below"
)
_ENGLISH_SPLIT = re.compile(rf"\s+(?=(?:{_PREPOSITIONS})\b)", re.IGNORECASE)
_WORN = re.compile(r"^(with|wearing|holding|carrying)\b|\bin (a|an|the|his|her|their)\b.*\b(coat|dress|suit|shirt|hat|jacket|hoodie|"
                   r"uniform|hanbok|raincoat|sweater|skirt|jeans|boots|scarf|cloak|armou?r|kimono|spacesuit)s?\b", re.IGNORECASE)  # fmt: skip
_LEADING = re.compile(
    r"^(?:in|on|at|along|through|across|by|near|over|inside|into|from|during|toward|towards|to|amid|among)\s+",
    re.IGNORECASE,
)
_MODIFIER = re.compile(
    r".*[는은인한린진운된던낀덮핀친선른운난린간든찬먼큰긴]$|.*(내리는|오는|부는|쌓인|덮인|가득한|떠오르는|지는|물든|빛나는|반짝이는)$"
)
_WORN_KOREAN = re.compile(
    r"(입|쓰|쓴|든|들|멘|신|안|탄|타|끼|낀|두른|잡)[은는고어아채]?$|.*(옷|코트|원피스|드레스|모자|우산|가방|치마|셔츠|한복|후드|목도리|양복|우비|안경)[을를이가은는와과의]?$"
)
_BESIDE = re.compile(r"(앞|옆|위|아래|뒤|안|밖|속|근처|사이|가운데)(에서|에|의|로)?$")
"""Says where, of the place before it."""
_TAIL = re.compile(r"(에서|으로|에는|에|을|를|이|가|은|는|로|과|와)$")
_MEANINGS = {
    "character": "a person, their clothes, their face and what they do",
    "background": "a place, a landscape, the weather and the time of day",
    "motion": "the camera moves, zooms or pans",
    "style": "an art style, a mood, a look of the picture",
}


class RulesParams(Value):
    """`templates`: your own folder with a `prompts.yaml.j2`; `use_encoder`: ask the sentence encoder when unsure."""

    templates: Path | None = None
    use_encoder: bool = True


class Rules:
    """Plans by rules, offline, in milliseconds."""

    name: ClassVar[str] = "rules"
    version: ClassVar[str] = "2"
    stored: ClassVar[bool] = True
    Params: ClassVar[type[Value]] = RulesParams

    def __init__(self, params: RulesParams) -> None:
        self.params = params

    def estimate(self, request: PlanRequest) -> Usage:  # noqa: ARG002
        return {"cpu_second": Decimal("0.05")}

    @classmethod
    def readiness(cls) -> Readiness:
        if encoder.available():
            return Readiness(ready=True, note="with the multilingual sentence encoder")
        return Readiness(ready=True, note="words only", remedy="pip install 'vpgen[neural]' adds the sentence encoder")

    def plan(self, request: PlanRequest, work: Work) -> Prompt:  # noqa: ARG002
        return render(split(request.story, use_encoder=self.params.use_encoder), request.story, self.params.templates)


def split(story: str, *, use_encoder: bool = True) -> dict[Part, str]:
    """The story's words by the part of the picture they are about; a part may be empty."""
    parts: dict[Part, list[str]] = {"character": [], "background": [], "motion": [], "style": []}
    for clause in re.split(r"[.,;!?\n。、]+|\s+-+\s+|\b(?:and|then) (?=the camera)", story):
        clause = clause.strip()
        if not clause:
            continue
        if _CAMERA.search(clause):
            parts["motion"].append(clause)
        elif _STYLE.search(clause):
            parts["style"].append(clause)
        else:
            character, background = (_korean if is_korean(clause) else _english)(clause)
            if not background and parts["character"] and use_encoder and encoder.available():
                parts[encoder.nearest(clause, _MEANINGS)].append(clause)  # type: ignore[index]  # a key of _MEANINGS
            else:
                parts["character"].append(character)
                parts["background"].append(background)
    glue = {"motion": ", ", "style": ", "}
    return {part: glue.get(part, ", ").join(text for text in texts if text) for part, texts in parts.items()}


def _korean(clause: str) -> tuple[str, str]:
    """Groups of words about the scene, with the modifiers that lead to them, are the background."""
    tokens, said = clause.split(), words(clause)
    by_text = {word.text: word for word in said}
    marks = [_about_scene(by_text.get(re.sub(r"[\"“”()…·:]", "", token.lower()))) for token in tokens]
    # 낀 and 쓴 are worn by people, but said of a place right after it ("안개 낀 호수").
    worn = [bool(_WORN_KOREAN.search(token)) and not (i and marks[i - 1]) for i, token in enumerate(tokens)]
    taken = list(marks)
    for index in [i for i, marked in enumerate(marks) if marked]:
        at = index - 1
        while at >= 0 and not taken[at] and not worn[at] and _MODIFIER.match(tokens[at]):
            if at == 0 and tokens[at].endswith(("은", "는")):
                break  # "여자는 바닷가를": a topic, not a modifier
            taken[at] = True
            at -= 1
    for index in range(1, len(tokens)):
        between = index + 1 < len(tokens) and taken[index - 1] and taken[index + 1] and not worn[index]
        taken[index] |= between or (taken[index - 1] and bool(_BESIDE.match(tokens[index])))
    groups: list[list[str]] = []
    for index, token in enumerate(tokens):
        if taken[index]:
            if not groups or not taken[index - 1]:
                groups.append([])
            groups[-1].append(token)
    background = " ".join(" ".join([*group[:-1], _TAIL.sub("", group[-1]) or group[-1]]) for group in groups)
    character = " ".join(token for index, token in enumerate(tokens) if not taken[index])
    return character, background


def _english(clause: str) -> tuple[str, str]:
    """Prepositional phrases about the scene are the background; a clause with no other subject is it as a whole."""
    character: list[str] = []
    background: list[str] = []
    for index, phrase in enumerate(_ENGLISH_SPLIT.split(clause)):
        scenic = any(_about_scene(word) for word in words(phrase))
        if scenic and not _WORN.search(phrase) and (index or not _PERSON.search(phrase)):
            background.append(phrase if background else _LEADING.sub("", phrase))
        else:
            character.append(phrase)
    return " ".join(character), " ".join(background)


_PERSON = re.compile(
    r"\b(woman|women|man|men|girl|boy|child|kid|lady|guy|person|people|someone|she|he|they|elder|grand(ma|pa|mother|father)|"
    r"robot|astronaut|dancer|singer|student|teacher|soldier|knight|princess|prince|king|queen|detective|chef|doctor|nurse|"
    r"hero|heroine|couple|old|young|traveler|traveller|samurai|warrior|witch|wizard|musician|artist|farmer|fisherman)\b",
    re.IGNORECASE,
)


def _about_scene(word: Word | None) -> bool:
    return bool(word) and any(group in {"place", "time", "weather", "season", "props"} for group, _ in word.says)  # type: ignore[union-attr]


def render(parts: dict[Part, str], story: str, folder: Path | None = None) -> Prompt:
    """Fill the template. The story's words are data: Jinja in them comes out as it went in. Raises ConfigError."""
    path = folder or TEMPLATES
    environment = SandboxedEnvironment(
        loader=jinja2.FileSystemLoader(path),
        undefined=jinja2.StrictUndefined,
        autoescape=False,
        keep_trailing_newline=True,
    )
    try:
        text = environment.get_template("prompts.yaml.j2").render(**parts, korean=is_korean(story))
        return Prompt.model_validate(yaml.safe_load(text))
    except (jinja2.TemplateError, yaml.YAMLError, ValidationError) as error:
        raise ConfigError([f"{path / 'prompts.yaml.j2'}:{getattr(error, 'lineno', 1)}: {error}"]) from error

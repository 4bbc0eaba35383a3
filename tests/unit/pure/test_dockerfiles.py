"""Where a Dockerfile puts a file, told from its lines."""

from __future__ import annotations

import pytest

from evc.pure import dockerfiles

FILES = ["Dockerfile", "model.tar.gz", "readme.md", "src/app.py"]
FLAT = {"model.tar.gz": ["app.py", "weights/app.py"]}
DEEP = {"model.tar.gz": ["./model/app.py"]}


@pytest.mark.parametrize(
    ("lines", "inside", "folder"),
    [
        ("ADD ./model.tar.gz ./home/", FLAT, "/home"),
        ("ADD ./model.tar.gz ./home/", DEEP, "/home/model"),
        ("WORKDIR /home\nADD model.tar.gz .", FLAT, "/home"),
        ("workdir /srv\nWORKDIR app\nadd model.tar.gz ./", FLAT, "/srv/app"),
        ("WORKDIR /home\nADD model.tar.gz /opt/", FLAT, "/opt"),
        ("ADD model.tar.gz /opt/\nWORKDIR /opt/weights", FLAT, "/opt/weights"),
        ("ADD *.tar.gz /x/../home/", FLAT, "/home"),
        ('ADD ["model.tar.gz", "/home/"]', FLAT, "/home"),
        ("ADD --chown=1:1 model.tar.gz \\\n  # why\n  /home/", FLAT, "/home"),
        ("COPY model.tar.gz /home/", FLAT, ""),
        ("COPY . /app", {}, "/app/src"),
        ("COPY src /app", {}, "/app"),
        ("COPY src/app.py /app/", {}, "/app"),
        ("COPY src/app.py /opt/app.py", {}, "/opt"),
        ("COPY src/app.py /opt/other.py", {}, ""),
        ("COPY --from=first /a /b\nRUN git clone x", FLAT, ""),
        ("COPY src /one\nFROM python\nCOPY src /two", {}, "/two"),
        ("ADD [broken /home/", FLAT, ""),
    ],
)
def test_the_folder_of_the_program(lines: str, inside: dict[str, list[str]], folder: str) -> None:
    text = f'FROM python\n{lines}\nENTRYPOINT ["bash"]\n'
    assert dockerfiles.folder_of("app.py", text, FILES, inside) == folder

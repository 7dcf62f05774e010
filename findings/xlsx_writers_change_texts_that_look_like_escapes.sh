#!/usr/bin/env bash
# PyPI openpyxl 3.1.5, XlsxWriter 3.3.1, python-calamine 0.9.1 and npm exceljs 4.4.0, read-excel-file 9.3.17 (Python 3.11, Node 20, seen on 2026-11-27):
#
# ECMA-376 part 1, 22.9.2.19: in the texts of a workbook `_xHHHH_` stands for a character, and a text that has this form itself is written with its first
# underline as `_x005F_`. Expected: an identifier such as `dir_x0041_7` comes out of a workbook as it went in.
#
# - openpyxl and exceljs write it unescaped. Readers that decode (calamine and read-excel-file here, as Excel does) show `dirA7`: another identifier.
# - openpyxl decodes `_x005F_` only: a line end CR LF, which XlsxWriter writes as `_x000D_` and LF, comes out with these seven characters. openpyxl and exceljs
#   themselves write CR as it is, which XML turns into the end of the line.
# - XlsxWriter escapes, but each underline once only: in `_x0041_x0042_` the second escape shares its underline with the first and is left. It comes out as `_x0041B`.
#
# So no pair of these writers and readers returns all four texts.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check openpyxl==3.1.5 XlsxWriter==3.3.1 python-calamine==0.9.1
npm init -y > /dev/null
npm install --silent --no-audit --no-fund exceljs@4.4.0 read-excel-file@9.3.17 2> /dev/null

cat > texts.json <<'JSON'
["dir_7", "dir_x0041_7", "_x0041_x0042_", "one\r\ntwo"]
JSON
cat > write.py <<'PYTHON'
import json
import openpyxl
import xlsxwriter

texts = json.load(open("texts.json"))
book = openpyxl.Workbook()
for text in texts:
    book.active.append([text])
book.save("openpyxl.xlsx")
with xlsxwriter.Workbook("XlsxWriter.xlsx") as book:
    book.add_worksheet().write_column(0, 0, texts)
PYTHON
cat > write.cjs <<'NODE'
const { Workbook } = require('exceljs');
const book = new Workbook();
book.addWorksheet('Sheet').addRows(require('./texts.json').map((text) => [text]));
book.xlsx.writeFile('exceljs.xlsx');
NODE
cat > read.py <<'PYTHON'
import json
import openpyxl
from python_calamine import CalamineWorkbook

for writer in ["openpyxl", "XlsxWriter", "exceljs"]:
    name = f"{writer}.xlsx"
    print(writer, "openpyxl", json.dumps([row[0].value for row in openpyxl.load_workbook(name).active]))
    print(writer, "calamine", json.dumps([row[0] for row in CalamineWorkbook.from_path(name).get_sheet_by_index(0).to_python()]))
PYTHON
cat > read.mjs <<'NODE'
import ExcelJS from 'exceljs';
import readExcelFile from 'read-excel-file/node';
for (const writer of ['openpyxl', 'XlsxWriter', 'exceljs']) {
  const book = new ExcelJS.Workbook();
  await book.xlsx.readFile(`${writer}.xlsx`);
  console.log(writer, 'exceljs', JSON.stringify(book.worksheets[0].getColumn(1).values.slice(1)));
  const [sheet] = await readExcelFile(`${writer}.xlsx`);
  console.log(writer, 'read-excel-file', JSON.stringify(sheet.data.map((row) => row[0])));
}
NODE
venv/bin/python write.py
node write.cjs
{ venv/bin/python read.py && node read.mjs; } > seen

diff - seen <<'EXPECTED' && echo "unchanged" && cat seen
openpyxl openpyxl ["dir_7", "dir_x0041_7", "_x0041_x0042_", "one\ntwo"]
openpyxl calamine ["dir_7", "dirA7", "Ax0042_", "one\ntwo"]
XlsxWriter openpyxl ["dir_7", "dir_x0041_7", "_x0041_x0042_", "one_x000D_\ntwo"]
XlsxWriter calamine ["dir_7", "dir_x0041_7", "_x0041B", "one\r\ntwo"]
exceljs openpyxl ["dir_7", "dir_x0041_7", "_x0041_x0042_", "one\ntwo"]
exceljs calamine ["dir_7", "dirA7", "Ax0042_", "one\ntwo"]
openpyxl exceljs ["dir_7","dir_x0041_7","_x0041_x0042_","one\ntwo"]
openpyxl read-excel-file ["dir_7","dirA7","Ax0042_","one\r\ntwo"]
XlsxWriter exceljs ["dir_7","dir_x0041_7","_x0041B","one\r\ntwo"]
XlsxWriter read-excel-file ["dir_7","dir_x0041_7","_x0041B","one\r\ntwo"]
exceljs exceljs ["dir_7","dirA7","Ax0042_","one\ntwo"]
exceljs read-excel-file ["dir_7","dirA7","Ax0042_","one\r\ntwo"]
EXPECTED

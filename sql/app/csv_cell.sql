-- app.csv_cell - a text as a cell of CSV, which no spreadsheet reads as a formula.
set local role leads_owner;

create or replace function app.csv_cell(value text)
returns text language sql immutable parallel safe
begin atomic
  select case
    when csv_cell.value is null or csv_cell.value = '' then ''
    -- The first characters of formulas (OWASP, "CSV Injection"), also in their full-width forms.
    when strpos(E'=+-@\t\r\n\uFF1D\uFF0B\uFF0D\uFF20', left(csv_cell.value, 1)) > 0 then '"''' || replace(csv_cell.value, '"', '""') || '"'
    when csv_cell.value ~ '[",;[:space:]]' then '"' || replace(csv_cell.value, '"', '""') || '"'
    else csv_cell.value
  end;
end;

comment on function app.csv_cell(text) is
$$The cell (RFC 4180), in quotation marks where it needs them; empty for null.

A text that begins with = + - @, a tab, CR or LF gets an apostrophe before it, so that a spreadsheet shows it as a text.$$;

grant execute on function app.csv_cell(text) to leads_exec, leads_jobs;

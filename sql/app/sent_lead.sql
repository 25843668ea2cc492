-- app.sent_lead - reads and checks a row of an upload.
set local role leads_owner;

create or replace function app.sent_lead(
  organization_id uuid,
  "position" integer,
  "row" text,
  is_csv boolean,
  match text,
  has_created_at boolean,
  is_new boolean
)
returns app.sent_lead language plpgsql stable parallel safe security invoker set search_path = pg_catalog, pg_temp
as $$
declare
  v_sent app.sent_lead;
  v_code text;
  v_detail text;
begin
  v_sent.position := sent_lead.position;
  if octet_length(sent_lead."row") > 65536 then
    v_code := 'too_large';
    v_detail := 'A row can have at most 64 KiB. Send a shorter one.';
  elsif sent_lead.is_csv and left(sent_lead."row", 1) = '[' then
    v_code := 'wrong_columns';
    v_detail := 'The row has more or fewer cells than the header. Check the quotation marks.';
  else
    begin
      v_sent.fields := app.read_object(sent_lead."row");
    exception
      when sqlstate 'PT400' then
        get stacked diagnostics v_detail = pg_exception_detail;
        v_sent.faults := replace(replace(v_detail, '"body"', '"row"'), 'The body', 'The row')::json;
      when invalid_text_representation then
        v_code := 'invalid_json';
        v_detail := 'The row is not valid JSON.';
      when untranslatable_character then
        v_code := 'nul_character';
        v_detail := 'The row contains a NUL character (\u0000). Remove it.';
      when numeric_value_out_of_range then
        v_code := 'out_of_range';
        v_detail := 'The row contains a number that is out of range.';
      when statement_too_complex then
        v_code := 'too_deep';
        v_detail := 'The row is nested more than 32 levels deep, or it has more than 500 objects and arrays.';
    end;
  end if;
  if v_code is not null then
    v_sent.faults := json_build_array(json_build_object('field', 'row', 'code', v_code, 'detail', v_detail));
  end if;
  if v_sent.faults is not null then
    return v_sent;
  end if;

  if sent_lead.is_csv then
    v_sent.fields := app.csv_fields(v_sent.fields);
  end if;
  if sent_lead.has_created_at and v_sent.fields ? 'created_at' then
    -- Text is taken from a string only: from a number, it can have 131,072 digits.
    if jsonb_typeof(v_sent.fields -> 'created_at') = 'string' then
      v_sent.created_at := date_trunc('milliseconds', app.read_instant(v_sent.fields ->> 'created_at'));
    end if;
    if v_sent.created_at is null and v_sent.fields -> 'created_at' <> 'null' or v_sent.created_at > now() then
      v_sent.faults := json_build_array(json_build_object(
        'field', 'created_at', 'code', 'invalid_timestamp',
        'detail', 'This must be a time that has passed: a date, or a time with Z or an offset such as 2026-04-27T13:22:05Z.'
      ));
    end if;
    v_sent.fields := v_sent.fields - 'created_at';
  end if;

  v_sent.lead := app.plain_lead(sent_lead.organization_id, v_sent.fields, true);
  v_sent.is_plain := not (v_sent.lead is null);
  if not v_sent.is_plain then
    v_sent.faults := app.joined_faults(v_sent.faults, app.lead_faults(sent_lead.organization_id, v_sent.fields));
    if
      v_sent.faults is not null
      and sent_lead.is_new
      and coalesce(v_sent.fields -> 'email', 'null') = 'null'
      and (coalesce(v_sent.fields -> 'name', 'null') = 'null' or coalesce(v_sent.fields -> 'company', 'null') = 'null')
    then
      v_sent.faults := app.joined_faults(v_sent.faults, app.contact_fault(
        sent_lead.organization_id,
        coalesce(v_sent.fields -> 'name', 'null') <> 'null' and coalesce(v_sent.fields -> 'phone', 'null') <> 'null',
        false
      ));
    end if;
    if v_sent.faults is null then
      v_sent.lead := app.lead_from(v_sent.fields, null);
    end if;
  end if;
  if json_array_length(v_sent.faults) > 20 then
    -- 10,000 rows with all their errors would take a gigabyte.
    v_sent.faults := app.joined_faults(
      (
        select json_agg(e.fault order by e.position)
        from json_array_elements(v_sent.faults) with ordinality as e (fault, position)
        where e.position <= 20
      ),
      json_build_array(json_build_object(
        'field', 'row', 'code', 'too_many_errors',
        'detail', format('The row has %s errors. These are the first 20.', json_array_length(v_sent.faults))
      ))
    );
  end if;
  v_sent.key := case sent_lead.match
    when 'reference' then (v_sent.lead).reference
    when 'email' then lower((v_sent.lead).email collate "C")
    when 'phone' then case
      when (v_sent.lead).phone is not null
      then app.phone_key((v_sent.lead).phone, app.country_code(sent_lead.organization_id))
    end
  end;
  return v_sent;
end $$;

comment on function app.sent_lead(uuid, integer, text, boolean, text, boolean, boolean) is
$$A row of an upload, with the lead that it makes, or with all that is wrong with its fields.

position: its position. row: JSON text. is_csv: whether it is a row of CSV (app.csv_fields). match: reference, email or phone, the field by
which it finds a lead. has_created_at: whether it can have the field created_at. is_new: whether it
cannot change a lead that exists. Without faults, what is wrong with the lead as a whole is found later, when it is known whether
the row changes a lead.$$;

grant execute on function app.sent_lead(uuid, integer, text, boolean, text, boolean, boolean) to leads_exec, leads_jobs;

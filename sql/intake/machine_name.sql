-- intake.machine_name - a name of a-z, 0-9 and _ for any text.
set local role leads_owner;

create or replace function intake.machine_name(value text)
returns text language sql immutable parallel safe
begin atomic
  -- normalize() separates the accents, so that é becomes e.
  select nullif(
    btrim(left(btrim(regexp_replace(lower(regexp_replace(normalize(machine_name.value, nfkd), U&'[\0300-\036F]', '', 'g')),
      '[^a-z0-9]+', '_', 'g'), '_'), 64), '_'),
    ''
  );
end;

comment on function intake.machine_name(text) is
  'The text in lower case, without accents, and with _ for every run of other characters: "Google Ads" is google_ads. At most '
  '64 characters. Null: no character is left.';

grant execute on function intake.machine_name(text) to leads_intake, leads_jobs;

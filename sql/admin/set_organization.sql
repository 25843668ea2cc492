-- admin.set_organization - changes the settings of an organization, for leads organizations set.
set local role leads_jobs;

-- In the same transaction, so that the previous release finds a function at any time.
drop function if exists admin.set_organization(uuid, boolean, text);

create or replace function admin.set_organization(
  organization_id uuid,
  accepts_name_and_phone boolean default null,
  country_code text default null,
  keep_audit_years integer default null,
  time_zone text default null
)
returns void language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_organization_id uuid := (admin.organization(set_organization.organization_id)).organization_id;
  v_time_zone text;
begin
  if set_organization.country_code !~ '^([1-9][0-9]{0,2})?$' then
    raise sqlstate 'PT422' using
      message = 'invalid_country_code',
      hint = 'The country code must be 1 to 3 digits without +, such as 1 or 44, or empty.';
  end if;
  if set_organization.keep_audit_years <> 0 and set_organization.keep_audit_years not between 7 and 100 then
    raise sqlstate 'PT422' using
      message = 'invalid_keep_audit_years', hint = 'The years must be 7 to 100, or 0 for the default.';
  end if;
  if set_organization.time_zone is not null then
    v_time_zone := (
      select z.name
      from pg_catalog.pg_timezone_names as z
      where lower(z.name) = lower(set_organization.time_zone) and z.name !~ '^(posix/|right/|localtime$|posixrules$|Factory$)'
      limit 1
    );
    if v_time_zone is null then
      raise sqlstate 'PT422' using
        message = 'invalid_time_zone',
        hint = format(
          'PostgreSQL knows no time zone "%s". Use a name of the IANA database, such as Europe/Berlin, America/New_York or UTC.',
          set_organization.time_zone
        );
    end if;
  end if;
  update app.organization as o
  set
    accepts_name_and_phone = coalesce(set_organization.accepts_name_and_phone, o.accepts_name_and_phone),
    country_code = nullif(coalesce(set_organization.country_code, o.country_code), ''),
    keep_audit_years = nullif(coalesce(set_organization.keep_audit_years, o.keep_audit_years), 0),
    time_zone = coalesce(v_time_zone, o.time_zone)
  where o.organization_id = v_organization_id;
end $$;

comment on function admin.set_organization(uuid, boolean, text, integer, text) is
$$Changes the settings of an organization. Null keeps a setting.

accepts_name_and_phone: whether a lead may have a name and a phone number as its only contact data. Leads that have no other keep
it if this is switched off. country_code: the calling code of phone numbers without one, 1 to 3 digits; empty: none. It applies to
the phone numbers that are written later; then call admin.fill_phone_keys for the others. keep_audit_years: for how many years leads audit retire leaves the organization's events in the log, 7 to 100; 0: no
longer than the operator decides. time_zone: the time zone of the days in the analysts' views, by its name in pg_timezone_names, in
upper or lower case; a worker then counts the days again. Raises PT404 organization_not_found, PT409 organization_erased, PT422
invalid_country_code, invalid_keep_audit_years and invalid_time_zone.$$;

grant execute on function admin.set_organization(uuid, boolean, text, integer, text) to leads_operator;

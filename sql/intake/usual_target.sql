-- intake.usual_target - the field that an answer with a usual name belongs to.
set local role leads_owner;

create or replace function intake.usual_target(name text, value text)
returns text language plpgsql immutable parallel safe security invoker set search_path = pg_catalog, pg_temp
as $$
declare
  -- q3_fullName and your-email are full_name and email.
  v_name text := regexp_replace(usual_target.name, '^(q[0-9]+|your|my|contact|customer|lead|field)_', '');
begin
  return case
    when v_name ~ '^(work_|business_|primary_)?(e_?mail|e_?mail_address|mail|correo|correo_electronico|adresse_e_?mail)$' then 'email'
    when
      v_name ~ '^(work_|business_|home_|primary_)?(phone|phone_?number|phone_no|tel|telephone|telephone_number|mobile|mobile_phone|mobile_number|cell|cell_phone|telefon|telefono|telefonnummer|handy)$'
      then 'phone'
    when v_name ~ '^(name|full_?name|nombre|nom)$' then 'name'
    when v_name ~ '^(first_?name|given_?name|fname|first|vorname|prenom)$' then 'first_name'
    when v_name ~ '^(last_?name|sur_?name|family_?name|lname|last|nachname|apellido|apellidos)$' then 'last_name'
    when v_name ~ '^(company|company_?name|organi[sz]ation|organi[sz]ation_?name|business|business_?name|firma|empresa)$' then 'company'
    when v_name ~ '^(message|messages|comment|comments|note|notes|inquiry|enquiry|description|details|mensaje|nachricht)$' then 'pain_points'
    when v_name = 'industry' then 'industry'
    when v_name in ('company_size', 'timeline') then v_name
    when v_name in ('budget', 'budget_range') then 'budget_range'
    -- The text of a question. The answer must look like it, too.
    when v_name ~ '(^|_)e_?mail(_|$)' and app.is_email(usual_target.value) then 'email'
    when v_name ~ '(^|_)(phone|telephone|mobile|cell)(_|$)' and app.is_phone(usual_target.value) then 'phone'
    when v_name ~ '(^|_)your_(full_)?name$' then 'name'
    when v_name ~ '(^|_)first_name$' then 'first_name'
    when v_name ~ '(^|_)last_name$' then 'last_name'
    when v_name ~ '(^|_)(your_company|company_name)$' then 'company'
  end;
end $$;

comment on function intake.usual_target(text, text) is
$$The field of a lead that answers with this name usually belong to; first_name and last_name are the parts of name. Null: none.

name: a machine name (intake.machine_name) of the answer or of its question. value: the answer, for names that say less.$$;

grant execute on function intake.usual_target(text, text) to leads_intake, leads_jobs;

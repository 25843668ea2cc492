begin;
select plan(4);

select is(
  array(
    select row(f.field, f.code)::text
    from app.details_faults('{"a": "x", "B": 1, "c": [], "d": "", "e": "\u0001", "f": null, "g": 1e50, "h": "  "}') as f
  ),
  array[
    '(details.B,invalid_name)', '(details.c,wrong_type)', '(details.d,blank)', '(details.e,control_character)',
    '(details.g,out_of_range)', '(details.h,blank)'
  ],
  'each fault, in the order of the names'
);
select is(
  (select f.code from app.details_faults(jsonb_build_object('a', repeat('x', 1001))) as f), 'too_long', 'a text that is too long'
);
select is(
  (select count(*) from app.details_faults((select jsonb_object_agg('A' || n, 1) from generate_series(1, 500) as n))), 100::bigint,
  'at most 100'
);
select is(
  (app.lead_faults(organization('alice'), '{"details": {"a": []}, "phone": "12", "reference": ""}'))::jsonb
    @@ 'exists($[*] ? (@.field == "details.a")) && exists($[*] ? (@.code == "invalid_phone")) && exists($[*] ? (@.code == "blank"))',
  true,
  'app.lead_faults has them, with those of phone and reference'
);

select * from finish();
rollback;

begin;
select plan(24);

select is(intake.usual_target(intake.machine_name(c.name), c.value), c.target, c.name)
from (values
  ('email', 'x', 'email'),
  ('Your E-Mail Address', 'x', 'email'),
  ('q4_email', 'x', 'email'),
  ('What is your e-mail?', 'dana@example.com', 'email'),
  ('What is your e-mail?', 'none', null),
  ('Phone Number', 'x', 'phone'),
  ('Teléfono', 'x', 'phone'),
  ('A phone we can call', '+1 555 010 0142', 'phone'),
  ('A phone we can call', 'no', null),
  ('fullName', 'x', 'name'),
  ('What is your name', 'x', 'name'),
  ('first-name', 'x', 'first_name'),
  ('Vorname', 'x', 'first_name'),
  ('Surname', 'x', 'last_name'),
  ('Company Name', 'x', 'company'),
  ('Organisation', 'x', 'company'),
  ('Message', 'x', 'pain_points'),
  ('Budget', 'x', 'budget_range'),
  ('form_name', 'x', null),
  ('campaign_name', 'x', null),
  ('username', 'x', null),
  ('email_opt_in', 'yes', null),
  ('utm_source', 'x', null),
  ('message_id', 'x', null)
) as c (name, value, target);

select * from finish();
rollback;

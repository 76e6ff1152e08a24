-- Those that this installation works with, among millions that were issued or imported.
CREATE INDEX certificates_own ON certificates (role) WHERE role NOT IN ('imported', 'issued');
